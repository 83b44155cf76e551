//go:build unix && !linux

package localspark

import "syscall"

// groupOfItsOwn starts a child in a process group of its own. Only Linux can tie
// its life to ours; elsewhere a killed process leaves its children.
func groupOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
