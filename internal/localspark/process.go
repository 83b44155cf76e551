package localspark

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child process in a process group of its own, which dies with this
// one, whatever ends it. Its methods may be called from any goroutine.
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
		_ = cmd.Wait() // how it ended stands in cmd.ProcessState
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended; valid when Done is closed.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Pid is the number of the process, and of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and after the grace ends it and all that is left
// of its group. It returns when the process is gone. A process that asks its own
// children to end needs no help: only the process is asked, not its group.
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
