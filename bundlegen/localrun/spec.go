package localrun

import (
	"time"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// jobSpec is a job of the emitted bundle, as far as a local run needs it.
type jobSpec struct {
	key        string
	parameters map[string]string // name -> default
	tasks      []taskSpec
}

// taskSpec is a task of it. Its arguments still hold references such as
// {{job.parameters.until_ms}}: they are resolved for each attempt.
type taskSpec struct {
	key            string
	dependsOn      []string
	runIf          string
	maxRetries     int // -1 = without end
	retryAfter     time.Duration
	retryOnTimeout bool
	timeout        time.Duration
	entryPoint     string
	args           []string
	params         manifest.Parameters // as they are at the first attempt
	runJob         string              // key of the job that the task runs; "" for a task of its own
	jobParameters  map[string]string   // what that job is given
}
