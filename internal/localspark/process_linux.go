package localspark

import "syscall"

// groupOfItsOwn starts a child in a process group of its own; the kernel kills
// it when the thread that started it ends.
func groupOfItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
