package localspark

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Shell writes a script to path that opens Spark's SQL shell on the tables of
// o.Dir, for people: PATH -e 'SELECT …', or PATH -f FILE. It refuses to start while another
// process has a lock on lockFile, since a metastore allows one session at a time. Its
// files are in a folder next to the script.
func (i *Installation) Shell(path, lockFile string, o Options) error {
	tables := o.Dir
	o.Dir = filepath.Join(o.Dir, "shell")
	more := tablesIn(tables)
	more["spark.sql.cli.print.header"] = "true"
	if err := i.prepare(&o, "local[2]", more); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Opens Spark's SQL shell on these tables: -e 'SELECT …', -f FILE, or neither to type.\n")
	for _, kv := range [][2]string{
		{"SPARK_HOME", o.home()}, {"SPARK_CONF_DIR", o.conf()}, {"SPARK_LOCAL_IP", "127.0.0.1"}, {"JAVA_HOME", i.java},
	} {
		fmt.Fprintf(&b, "export %s='%s'\n", kv[0], kv[1]) // CheckPath lets no quote through
	}
	fmt.Fprintf(&b, `if ! flock -n '%[1]s' true; then
  echo 'error: the tables are in use by a run; hint: wait for it to end' >&2
  exit 1
fi
exec flock '%[1]s' "$SPARK_HOME/bin/spark-sql" "$@"
`, lockFile)
	return os.WriteFile(path, []byte(b.String()), 0o700)
}
