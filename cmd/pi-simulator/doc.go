// Command pi-simulator serves a simulated PI Web API for tests, benchmarks and demos,
// and prints what it serves. pi-simulator --help lists its commands and exit codes.
package main
