package simulator

import "fmt"

// State is one state of a digital set.
type State struct {
	Name  string
	Value int32
}

// digitalSet is a named list of states.
type digitalSet struct {
	name   string
	states []State
	json   []string // each state as a value, `{"Name":…,"Value":…` without the end
}

func newDigitalSet(name string, states ...State) *digitalSet {
	s := &digitalSet{name: name, states: states}
	for _, st := range states {
		s.json = append(s.json, fmt.Sprintf(`{"Name":%s,"Value":%d`, appendJSONString(nil, st.Name), st.Value))
	}
	return s
}

// named makes a set whose states count from 0.
func named(name string, states ...string) *digitalSet {
	list := make([]State, len(states))
	for i, s := range states {
		list[i] = State{s, int32(i)}
	}
	return newDigitalSet(name, list...)
}

// digitalSets are the sets of digital points. Their position is a set's id.
var digitalSets = []*digitalSet{
	named("Modes", "Manual", "Auto", "Cascade", "Out of service"),
	named("OnOff", "Off", "On"),
	named("Valve", "Closed", "Opening", "Open", "Closing", "Fault, \"stuck\""),
	named("Zustände", "AN", "AUS", "Störung", "Prüfung läuft"),
	named("Steps", steps(40)...),
}

// systemSet holds the states that may occur on any point.
var systemSet = newDigitalSet("SYSTEM",
	State{"I/O Timeout", 246}, State{"No Data", 248}, State{"Calc Failed", 249},
	State{"Shutdown", 254}, State{"Bad Input", 255}, State{"Pt Created", 253})

// ptCreated is the position of the state that a point begins with.
const ptCreated = 5

func steps(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("Step %d", i)
	}
	return list
}

// allSets are the sets as the server lists them.
func allSets() []*digitalSet { return append([]*digitalSet{systemSet}, digitalSets...) }
