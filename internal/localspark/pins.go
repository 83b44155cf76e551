package localspark

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
)

// SparkVersion is the version of Spark in Databricks Runtime 17 LTS.
const SparkVersion = "4.0.1"

// layout is the version of an installation's layout.
const layout = 1

// requirements are the Python packages, for pip.
//
//go:embed requirements.txt
var requirements string

// buildTool makes an installable package of pyspark, which comes as sources only.
const buildTool = "setuptools==80.9.0"

// deltaPackage is Delta Lake by the name under which Spark fetches it.
const deltaPackage = "io.delta:delta-spark_2.13:4.0.1"

// jar is a Java library of Delta Lake, as Spark names its file.
type jar struct{ file, sha256 string }

var jars = []jar{
	{"io.delta_delta-spark_2.13-4.0.1.jar", "a1e76860b19fe1e6b205a4ea7a9099a2f9575d39bb71d49b3e679b299d0efb91"},
	{"io.delta_delta-storage-4.0.1.jar", "ecc42c5aaa51c423312d9e4e48aa4a12b34740bf2c37de0e8f279277ec3d12e4"},
	{"org.antlr_antlr4-runtime-4.13.1.jar", "54665d2838cc66458343468efc539e454fc95b46a8a04b13c6ac43fc9be63505"},
}

// pinsHash distinguishes installations of different versions.
func pinsHash() string {
	h := sha256.New()
	fmt.Fprintln(h, layout, buildTool, deltaPackage, jars)
	fmt.Fprint(h, requirements)
	return hex.EncodeToString(h.Sum(nil))[:10]
}
