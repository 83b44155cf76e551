//go:build unix && !linux

package localspark

import "syscall"

// groupOfItsOwn starts a child in its own process group. Only Linux can end it with this
// process; elsewhere a killed process leaves its children.
func groupOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
