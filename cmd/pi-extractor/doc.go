// Command pi-extractor runs the tasks of a bundle's job: it reads PI Web API and
// lands every event exactly once.
//
// Exit codes: 0 done, 1 failed, 3 partial success (some tags or sites failed, the
// rest is landed), 130 cancelled.
package main
