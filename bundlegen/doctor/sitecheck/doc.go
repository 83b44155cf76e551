// Package sitecheck is the part of doctor that looks at PI Web API sites from this
// machine: the way to the server, who answers there, what the account may do, and
// how the server behaves. It reads, and changes nothing: but for one empty POST of
// /batch, which asks whether the server refuses such, each request is a GET.
//
// A wrong password is tried once, since servers lock accounts.
package sitecheck
