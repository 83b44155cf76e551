package enginetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine"
)

// errDead is what the steps of an actor say once it is dead.
var errDead = errors.New("this process is dead")

// patience is how long one step of an actor may take, which is far more than any needs.
const patience = 5 * time.Minute

// actor is one of several that are at work at the same time. It stops before
// each of its steps, and goes on, or dies there, when the scheduler says so.
type actor struct {
	name string
	do   func(steps engine.Steps) error
}

// nextProcess is told where an actor begins another process, which is alive.
const nextProcess = taskStep + "next process"

// inTurn runs one process after the other, whatever becomes of each.
func inTurn(steps engine.Steps, processes ...func() error) error {
	for _, do := range processes {
		if err := do(); err != nil && !errors.Is(err, errDead) && !errors.Is(err, engine.ErrZombie) {
			return err
		}
		if err := steps.At(nextProcess); err != nil {
			return err
		}
	}
	return nil
}

// scenario makes the actors of a new pipeline, and says what must be so after them.
type scenario func(l *lab) (actors []actor, after func() error)

// choice is what a schedule does at a point: let an actor take one step, or die.
type choice struct {
	actor int
	dies  bool
}

// deviation is a choice that is not the one that comes by itself, which is to let
// the same actor go on, and, when it has ended, the first one that has not.
type deviation struct {
	point int
	choice
}

// interleave runs a scenario under every schedule: those with the fewest
// deviations first, so that the first one that fails is a short one. Below a point
// at which everything is as it was at a point of another schedule, nothing new
// can come, and nothing is tried. Where there are more schedules than the
// subject has time for, those of the last round are a sample, the same each time.
func interleave(l *lab, name string, begin scenario) {
	budget, ran, left := l.Schedules(), 0, 0
	seen := map[[32]byte]bool{}
	chance := rand.New(rand.NewPCG(1, 2))
	round := [][]deviation{nil}
	deviations := 0
	for ; len(round) > 0; deviations++ {
		if most := budget - ran; len(round) > most {
			chance.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
			left += len(round) - most
			round = round[:most]
		}
		var next [][]deviation
		for _, schedule := range round {
			p := &play{lab: newLab(l.TB, l.lake, name), seen: seen, schedule: schedule}
			next = append(next, p.run(begin)...)
			ran++
		}
		round = next
		if ran == budget {
			left += len(next)
			break
		}
	}
	l.Logf("%d schedules with up to %d switches and deaths; %d more were left out", ran, deviations, left)
}

// play is one schedule on its way.
type play struct {
	*lab
	schedule []deviation
	seen     map[[32]byte]bool // states that were met, in any schedule

	parts  []*part
	stops  chan int // an actor stopped or ended
	trace  []string
	tables *snapshot
	stuck  bool
}

// part is an actor in a play.
type part struct {
	actor
	resume chan error
	at     string // the step before which it stands
	taken  int
	saw    [32]byte // digest of what there was at each of its steps since it last began from what the tables say
	ended  bool
	dead   bool
	err    error
}

// run plays the schedule to its end, and gives those that deviate from it once more.
func (p *play) run(begin scenario) (next [][]deviation) {
	actors, after := begin(p.lab)
	p.stops = make(chan int, len(actors))
	for i, a := range actors {
		p.start(i, a)
	}
	wrong := p.sample()
	last, known := 0, false
	for point := 0; wrong == nil; point++ {
		byItself, some := p.byItself(last)
		if !some {
			break
		}
		do := choice{actor: byItself}
		if i := slices.IndexFunc(p.schedule, func(d deviation) bool { return d.point == point }); i >= 0 {
			do = p.schedule[i].choice
		} else if n := len(p.schedule); n == 0 || point > p.schedule[n-1].point {
			if state := p.state(); !known && p.seen[state] {
				known = true
			} else if !known {
				p.seen[state] = true
				for _, other := range p.others(byItself) {
					next = append(next, append(slices.Clone(p.schedule), deviation{point, other}))
				}
			}
		}
		last = do.actor
		wrong = p.step(do)
	}
	if wrong == nil {
		wrong = p.results()
	}
	if wrong == nil {
		wrong = after()
	}
	if wrong != nil {
		p.release()
		p.Fatalf("%v\n\nin this schedule:\n%s", wrong, strings.Join(p.trace, "\n"))
	}
	return next
}

// start starts an actor, which stands before its first step then.
func (p *play) start(i int, a actor) {
	part := &part{actor: a, resume: make(chan error), at: taskStep + "start"}
	p.parts = append(p.parts, part)
	go func() {
		if err := <-part.resume; err == nil {
			part.err = a.do(func(step string) error {
				if step == nextProcess {
					part.dead = false
					return nil
				}
				if part.dead {
					return errDead
				}
				part.at = step
				part.taken++
				p.stops <- i
				return <-part.resume
			})
		}
		part.ended = true
		p.stops <- i
	}()
}

// see notes what a step that an actor takes may learn from what is there. With
// its tables read anew, what it saw before is of no more importance.
func (a *part) see(s *snapshot) {
	switch strings.TrimPrefix(a.at, taskStep) {
	case "start", "seal", "remove folder":
		return // these read nothing
	case "open":
		a.saw = [32]byte{}
	}
	a.saw = sha256.Sum256(append(a.saw[:], s.String()...))
}

// byItself is the actor that goes on where nothing else is said.
func (p *play) byItself(last int) (actor int, some bool) {
	if !p.parts[last].ended {
		return last, true
	}
	i := slices.IndexFunc(p.parts, func(a *part) bool { return !a.ended })
	return i, i >= 0
}

// others are the other choices at this point: another goes on, or the one dies
// that would go on by itself (of one that does not, it is the same to die later).
func (p *play) others(byItself int) (out []choice) {
	for i, a := range p.parts {
		switch {
		case a.ended:
		case i != byItself:
			out = append(out, choice{actor: i})
		case a.taken > 0: // not to begin at all is no death
			out = append(out, choice{actor: i, dies: true})
		}
	}
	return out
}

// step lets one actor go on to its next step, or die, and looks at what is there then.
func (p *play) step(do choice) error {
	a := p.parts[do.actor]
	changes := !strings.HasPrefix(a.at, taskStep)
	line := a.name + ": " + strings.TrimPrefix(a.at, taskStep)
	var order error
	if do.dies {
		line += " DIES"
		order, a.dead, changes = errDead, true, false
	}
	p.trace = append(p.trace, line)
	a.see(p.tables)
	a.resume <- order
	select {
	case <-p.stops:
	case <-time.After(patience):
		p.stuck = true
		return fmt.Errorf("%s neither ended nor came to its next step in %s: is a lock held over a step?", line, patience)
	}
	if !changes {
		return p.folders()
	}
	return p.sample()
}

// sample holds what is there at this moment against the promises.
func (p *play) sample() error {
	p.tables = p.tablesOf(p, p.pipeline)
	return p.folders()
}

// folders does the same after a step that changed no table.
func (p *play) folders() error {
	if err := p.tables.foldersIn(p.staging(), p.pipeline); err != nil {
		return err
	}
	return p.history.observe(p.tables)
}

// state is all that matters to what may come.
func (p *play) state() [32]byte {
	var b strings.Builder
	for _, a := range p.parts {
		saw := a.saw
		if a.ended || a.at == taskStep+"open" {
			saw = [32]byte{}
		}
		fmt.Fprintf(&b, "%s before step %d, %s, %t %x\n", a.name, a.taken, a.at, a.ended, saw)
	}
	b.WriteString(p.tables.String())
	return sha256.Sum256([]byte(b.String()))
}

// results fails when an actor ended with an error that no user should see.
func (p *play) results() error {
	for _, a := range p.parts {
		if a.err != nil && !errors.Is(a.err, errDead) && !errors.Is(a.err, engine.ErrZombie) {
			return fmt.Errorf("%s failed: %w", a.name, a.err)
		}
	}
	return nil
}

// release ends the actors of a play that is broken off.
func (p *play) release() {
	for _, a := range p.parts {
		for !a.ended && !p.stuck {
			a.dead = true
			a.resume <- errDead
			<-p.stops
		}
	}
}
