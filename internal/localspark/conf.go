package localspark

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options are the settings of a session and its folder.
type Options struct {
	// Dir is the session's folder: metastore/, warehouse/ and spark.log remain, the
	// rest is removed by Close. One session at a time uses a folder.
	Dir string
	// Master is where Spark runs tasks. "" is Executors executor processes of one
	// core and a gigabyte each for a server, and two threads that retry for a
	// classic session.
	Master string
	// Python is the interpreter of the workers, such as that of Venv; "" is the
	// installation's.
	Python string
	// Env adds KEY=VALUE to this process's environment, for the server and for its
	// workers, which inherit it.
	Env []string
	// Conf adds settings of Spark to those of this package.
	Conf map[string]string
}

// Executors is the default number of executor processes of a server.
const Executors = 2

func (o Options) python(i *Installation) string {
	if o.Python != "" {
		return o.Python
	}
	return i.Python()
}

// folders of a session.
func (o Options) home() string { return filepath.Join(o.Dir, "home") }
func (o Options) conf() string { return filepath.Join(o.Dir, "conf") }
func (o Options) temp() string { return filepath.Join(o.Dir, "tmp") }

// prepare makes the session's folders and its settings. master is what "" stands for.
func (i *Installation) prepare(o *Options, master string, more map[string]string) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	if err := CheckPath(dir); err != nil {
		return err
	}
	o.Dir = dir
	if o.Master == "" {
		o.Master = master
	}
	o.clean() // of a killed session
	for _, d := range []string{o.conf(), o.temp()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("the session's folder: %w", err)
		}
	}
	if err := i.link(o.home()); err != nil {
		return fmt.Errorf("the session's folder: %w", err)
	}
	settings := i.settings(*o)
	maps.Copy(settings, tablesIn(o.Dir))
	maps.Copy(settings, more)
	maps.Copy(settings, o.Conf)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s %s\n", name, strings.ReplaceAll(settings[name], `\`, `\\`))
	}
	for name, data := range map[string]string{"spark-defaults.conf": text.String(), "log4j2.properties": logSettings} {
		if err := os.WriteFile(filepath.Join(o.conf(), name), []byte(data), 0o600); err != nil {
			return fmt.Errorf("the session's folder: %w", err)
		}
	}
	return nil
}

// clean removes temporary files of a session; what cannot be removed does no harm.
func (o Options) clean() {
	for _, d := range []string{o.home(), o.conf(), o.temp()} {
		_ = os.RemoveAll(d)
	}
}

// settings are Spark's for small data on one machine, with tables that last.
func (i *Installation) settings(o Options) map[string]string {
	return map[string]string{
		"spark.master":          o.Master,
		"spark.driver.memory":   "1g",
		"spark.executor.memory": "1024m",
		"spark.jars":            strings.Join(i.jars(), ","),

		// No one else, on this machine or beyond, may connect.
		"spark.driver.host":         "127.0.0.1",
		"spark.driver.bindAddress":  "127.0.0.1",
		"spark.authenticate":        "true",
		"spark.authenticate.secret": rand.Text(),
		"spark.ui.enabled":          "false",
		"spark.ui.killEnabled":      "false",

		"spark.sql.extensions":                      "io.delta.sql.DeltaSparkSessionExtension",
		"spark.sql.catalog.spark_catalog":           "org.apache.spark.sql.delta.catalog.DeltaCatalog",
		"spark.sql.catalogImplementation":           "hive",
		"spark.sql.session.timeZone":                "UTC",
		"spark.sql.shuffle.partitions":              "4",
		"spark.databricks.delta.snapshotPartitions": "2",
		"spark.task.maxFailures":                    "4",
		"spark.speculation":                         "false",
		"spark.ui.showConsoleProgress":              "false",

		// Temporary files stay in the folder.
		"spark.local.dir":                         o.temp(),
		"spark.driver.extraJavaOptions":           javaOptions(o) + " " + quickStart,
		"spark.executor.extraJavaOptions":         javaOptions(o),
		"spark.hadoop.hive.exec.scratchdir":       filepath.Join(o.temp(), "hive"),
		"spark.hadoop.hive.exec.local.scratchdir": filepath.Join(o.temp(), "hive"),
	}
}

// tablesIn are the settings for tables that outlive the session, and their names.
func tablesIn(dir string) map[string]string {
	return map[string]string{
		"spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:;databaseName=" + filepath.Join(dir, "metastore") + ";create=true",
		"spark.sql.warehouse.dir":                     filepath.Join(dir, "warehouse"),
	}
}

// quickStart limits the driver's JVM to its first compiler. A driver runs much code, and
// seldom the same twice: the second compiler took half of a small job's processor time.
// Executors run the same code for every row and have both.
const quickStart = "-XX:TieredStopAtLevel=1"

func javaOptions(o Options) string {
	return `"-Djava.io.tmpdir=` + o.temp() + `" "-Dderby.stream.error.file=` + filepath.Join(o.temp(), "derby.log") + `"`
}

// logSettings limit spark.log to what is worth reading, and to the line with the server's
// address.
const logSettings = `rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n%ex
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
`

// CheckPath returns an error for a path that Spark's settings, Derby's address or a class
// path would split.
func CheckPath(path string) error {
	if i := strings.IndexAny(path, `;:,"'\%#*?{}[]$`+"`\n\r\t"); i >= 0 {
		return fmt.Errorf("%q: Spark cannot work in a folder whose path has %q", path, path[i])
	}
	return nil
}

// misleading are the environment variables that would change a session, like those that
// begin with SPARK_ and PYSPARK_.
var misleading = []string{"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "HADOOP_CONF_DIR", "HADOOP_HOME",
	"YARN_CONF_DIR", "HIVE_CONF_DIR", "HIVE_HOME", "MASTER"}

// environment returns this process's environment without misleading variables, with a
// SPARK_HOME and a Python first on PATH.
func (i *Installation) environment(sparkHome, python string) []string {
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || strings.HasPrefix(name, "SPARK_") || strings.HasPrefix(name, "PYSPARK_") || slices.Contains(misleading, name) {
			continue
		}
		out = append(out, kv)
	}
	return append(out,
		"SPARK_HOME="+sparkHome,
		"SPARK_LOCAL_IP=127.0.0.1",
		"SPARK_LOCAL_HOSTNAME=127.0.0.1",
		"PYSPARK_PYTHON="+python,
		"PYSPARK_DRIVER_PYTHON="+python,
		"JAVA_HOME="+i.java,
		"PATH="+filepath.Dir(python)+string(os.PathListSeparator)+filepath.Join(i.java, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
	)
}

// Classic prepares a folder for classic sessions, which run Spark within the client's own
// process, with the settings of Server. It returns the whole environment of such a
// client: SPARK_HOME, SPARK_CONF_DIR and so on, without Connect.
func (i *Installation) Classic(o Options) (env []string, err error) {
	if err := i.prepare(&o, "local[2,4]", nil); err != nil {
		return nil, err
	}
	return append(i.environment(o.home(), o.python(i)), append([]string{"SPARK_CONF_DIR=" + o.conf(), "TMPDIR=" + o.temp()}, o.Env...)...), nil
}
