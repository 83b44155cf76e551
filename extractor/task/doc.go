// Package task runs the tasks of a job: discover, extract, consolidate, validate.
// Each is one list of steps, in the order in which they must be durable. What each
// step guarantees is documented where package engine defines it.
package task
