package lambdatest

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultTimeout     = 30 * time.Second
	defaultInitTimeout = 10 * time.Second
)

// Options says which function to start and how.
type Options struct {
	// Binary is the path of the executable; see Build.
	Binary string
	// Env has KEY=VALUE pairs that are added to the variables that Lambda sets,
	// and override them. Of the caller's own environment, only GOCOVERDIR is
	// passed on.
	Env []string
	// Timeout is how long an invocation may take unless Invocation.Timeout is
	// set; 30 s if 0.
	Timeout time.Duration
	// InitTimeout is how long the process may take to ask for its first event;
	// 10 s, as in Lambda, if 0.
	InitTimeout time.Duration
	// Extension says that the function runs beside an extension. Then Lambda sends
	// SIGTERM before the end, even to a function that registered no extension.
	Extension bool
}

func (o Options) withDefaults() (Options, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.InitTimeout <= 0 {
		o.InitTimeout = defaultInitTimeout
	}
	var err error
	o.Binary, err = filepath.Abs(o.Binary) // the process is started in its own directory
	return o, err
}

// environment returns the environment of the process; later entries win.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (o Options) environment(api string) []string {
	env := []string{
		"AWS_REGION=eu-central-1",
		"AWS_DEFAULT_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=AKIDLAMBDATEST",
		"AWS_SECRET_ACCESS_KEY=lambdatest",
		"AWS_SESSION_TOKEN=lambdatest",
		"AWS_LAMBDA_FUNCTION_NAME=lambdatest",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/lambdatest",
		"AWS_LAMBDA_LOG_STREAM_NAME=lambdatest",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"AWS_LAMBDA_LOG_LEVEL=INFO",
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(o.Binary),
		"_HANDLER=" + filepath.Base(o.Binary),
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
	}
	if dir, ok := os.LookupEnv("GOCOVERDIR"); ok {
		env = append(env, "GOCOVERDIR="+dir)
	}
	env = append(env, o.Env...)
	return append(env, "AWS_LAMBDA_RUNTIME_API="+api)
}

// lookup returns the value that a process started with env has for key.
func lookup(env []string, key string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(env[i], "="); ok && k == key {
			return v
		}
	}
	return ""
}
