package localspark

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child process in its own process group. It dies with this process, however
// that ends. Its methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	stop sync.Mutex
}

// Start starts a command. Its Stdout and Stderr must be files or nil: a pipe
// would be held open by what the process itself starts and leaves behind.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = groupOfItsOwn()
	started := make(chan error)
	go func() {
		// The kernel ties the child's life to the thread that started it, not to the
		// process: this thread stays as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // the result is in cmd.ProcessState
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how the process ended; valid once Done is closed.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Pid returns the id of the process and of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop sends SIGTERM to the process, and after the grace period kills it and the rest of
// its group. It returns when the process has ended. Only the process is signalled, not its
// group: it ends its own children.
func (p *Process) Stop(grace time.Duration) {
	p.stop.Lock()
	defer p.stop.Unlock()
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended this moment
		timer := time.NewTimer(grace)
		select {
		case <-p.done:
		case <-timer.C:
		}
		timer.Stop()
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // there may be none left
	<-p.done
}
