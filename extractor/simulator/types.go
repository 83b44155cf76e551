package simulator

import "fmt"

// PointType is the type of a point's values.
type PointType uint8

// The point types.
const (
	Float16 PointType = iota
	Float32
	Float64
	Int16
	Int32
	Digital
	String
	Timestamp
	Blob
	pointTypes
)

var pointTypeNames = [pointTypes]string{"Float16", "Float32", "Float64", "Int16", "Int32", "Digital", "String", "Timestamp", "Blob"}

// String returns PI's name of the type.
func (t PointType) String() string {
	if t < pointTypes {
		return pointTypeNames[t]
	}
	return fmt.Sprintf("point type %d", uint8(t))
}

// ParsePointType finds a type by PI's name of it.
func ParsePointType(name string) (PointType, error) {
	for i, n := range pointTypeNames {
		if n == name {
			return PointType(i), nil
		}
	}
	return 0, fmt.Errorf("there is no point type %q; allowed: %v", name, pointTypeNames)
}

// float reports whether values are floating-point numbers.
func (t PointType) float() bool { return t <= Float64 }

// number reports whether values are numbers.
func (t PointType) number() bool { return t <= Int32 }

// defaultMix is the types of an ordinary plant, in shares of 40.
var defaultMix = map[PointType]int{
	Float16: 1, Float32: 18, Float64: 6, Int16: 2, Int32: 4, Digital: 5, String: 2, Timestamp: 1, Blob: 1,
}
