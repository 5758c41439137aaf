// Package app wires the packages: configuration in, a handler of payloads and an [http.Handler] out. It
// knows no host and no AWS client. What only some programs have, their main passes in as [Links].
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/metrics"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink"
)

// Links is what only some programs have. The linker drops what a main does not pass in, so a binary
// carries only what its host can use. The zero value links nothing.
type Links struct {
	// Sinks builds sinks by their kind. Every program has stdout and HTTP.
	Sinks map[config.SinkKind]func(*config.Sink) (deletion.Sink, error)
	// SMN is [sink.NewSMN], which publishes with the credentials that DDS is called with. Nil if the program has no such sink.
	SMN func(projectID, topicURN string, post sink.PostJSON) deletion.Sink
	// Ledgers builds ledgers by their kind. Every program has memory.
	Ledgers map[config.LedgerKind]func(*config.Ledger) (deletion.Ledger, error)
	// ReadSecret returns the text of a secret. Its failure has a Cause for the log.
	ReadSecret func(context.Context, arn.ARN) (text string, failure *deletion.Error)
	// Postpone hides messages for a time before they are returned to their queue. It may be nil.
	Postpone func(ctx context.Context, queueARN string, messages []event.Visibility)
	// AskForTick asks for another tick at once, which asks for no other one from a time on. It may be nil.
	AskForTick func(ctx context.Context, until time.Time) error
	// Connects returns what opens the connections of the sink and the ledger that were built. It may be nil.
	Connects func() []func(context.Context)
	// Now is the clock of leases, the ledger in memory and calls to DDS; nil for the wall clock.
	Now func() time.Time
}

// App is the whole program without its host. It is safe for use by many goroutines.
type App struct {
	// Service works requests. A program that has requests and no source to reply to calls it.
	Service *deletion.Service
	// DDS is the client of the service.
	DDS *dds.Client

	log        *slog.Logger
	decoder    event.Decoder
	sinkARN    string // or the URN of a topic of SMN; empty for a sink that has neither
	postpone   func(ctx context.Context, queueARN string, messages []event.Visibility)
	askForTick func(context.Context, time.Time) error
	metrics    *metrics.Recorder
	warm       atomic.Bool // an invocation was here before

	credentials *lookup[dds.Credentials] // nil if the environment has them
	project     *lookup[string]          // nil if the environment names it
}

// New wires an app. Only what c asks for is built; the error names every part that is not linked.
// Credentials in a secret are read and an unknown project is looked up. A look-up that fails is no
// error: it is repeated for each invocation, whose requests are returned to their source until it
// succeeds. Events for the stdout sink, and metrics, are written to out.
func New(ctx context.Context, c *config.Config, log *slog.Logger, out io.Writer, links Links) (*App, error) {
	a := &App{
		log: log, sinkARN: cmp.Or(c.Sink.ARN.String(), c.Sink.Topic.String()), postpone: links.Postpone, askForTick: links.AskForTick,
		decoder: event.Decoder{
			RequestType: c.RequestType, BasePath: c.HTTPBasePath, MaxReceives: c.MaxReceives, DirectIsAsync: c.DirectIsAsync,
		},
	}
	outcomes, sinkErr := build("OUTCOME_SINK", c.Sink.Kind, &c.Sink, links.Sinks, a.sinks(out, links))
	// Some ledgers ask their server what it is before they are used. Meanwhile connections are opened.
	var (
		records     deletion.Ledger
		ledgerErr   error
		ledgerBuilt = make(chan struct{})
	)
	go func() {
		defer close(ledgerBuilt)
		records, ledgerErr = build("LEDGER", c.Ledger.Kind, &c.Ledger, links.Ledgers, map[config.LedgerKind]func(*config.Ledger) (deletion.Ledger, error){
			config.Memory: func(*config.Ledger) (deletion.Ledger, error) {
				return ledger.NewMemory(ledger.DefaultSize, links.Now), nil
			},
		})
	}()
	if c.MetricsFunction != "" {
		a.metrics = metrics.New(out, c.MetricsFunction)
	}
	options, credentialsErr := a.ddsOptions(c, links)
	if sinkErr != nil || credentialsErr != nil {
		<-ledgerBuilt
		return nil, errors.Join(sinkErr, ledgerErr, credentialsErr)
	}
	if (c.InLambda || c.FunctionGraph != nil) && c.Ledger.Kind == config.Memory {
		log.WarnContext(ctx, "LEDGER is memory: what this process knows is lost with it and unknown to others, so after a crash "+
			"a job id can be lost, a repeat asks DDS again, and its outcome may be unconfirmed; expected "+config.DurableLedger())
	}
	for _, warning := range c.Warnings {
		log.WarnContext(ctx, "configuration warning", "warning", warning)
	}
	if a.credentials != nil {
		options.Credentials, _ = a.credentials.get(ctx) // a failure is in the log, and the look-up is repeated
	}
	var err error
	if a.DDS, err = dds.New(options); err != nil {
		return nil, err
	}
	a.Service = &deletion.Service{
		Backups: a.DDS, Sink: outcomes, DryRun: c.DryRun, Concurrency: c.Concurrency, Now: links.Now, Log: log,
		Durable: c.Ledger.Durable, RequireManual: c.RequireManual, Follow: c.Follow, FollowAlarmAfter: c.FollowAlarmAfter,
		StopDeletions: c.StopDeletions, MaxRequestAge: c.MaxRequestAge,
		Scope: deletion.Scope{Region: c.Region, ProjectID: c.ProjectID, Regions: c.Regions, Projects: c.Projects},
	}
	if c.ProjectID == "" {
		a.project = a.newProject(c)
		a.Service.FindProject = a.project.get
		// Credentials that come with each invocation cannot ask at start.
		if a.credentials.lastFailure() == nil && c.Credentials != (config.Credentials{}) {
			_, _ = a.project.get(ctx) // a failure is in the log here, too
		}
	}
	// Provisioned starts skip this: their first event may come hours later, when the connections are closed.
	if c.OnDemand {
		if links.Connects != nil {
			<-ledgerBuilt
		}
		connect(ctx, a.opens(c, links)...)
	}
	<-ledgerBuilt
	if ledgerErr != nil {
		return nil, ledgerErr
	}
	a.Service.Ledger = records
	return a, nil
}

// sinks are the builders of sinks that every program has, and that of SMN, if it is linked.
func (a *App) sinks(out io.Writer, links Links) map[config.SinkKind]func(*config.Sink) (deletion.Sink, error) {
	sinks := map[config.SinkKind]func(*config.Sink) (deletion.Sink, error){
		config.Stdout: func(*config.Sink) (deletion.Sink, error) { return sink.NewStdout(out), nil },
		config.HTTP: func(s *config.Sink) (deletion.Sink, error) {
			return sink.NewHTTP(sink.HTTPOptions{Address: s.Address, Binary: s.Binary, Token: s.Token, Key: s.Key}, nil), nil
		},
	}
	if links.SMN != nil {
		sinks[config.SMN] = func(s *config.Sink) (deletion.Sink, error) {
			return links.SMN(s.Topic.ProjectID, s.Topic.String(), func(ctx context.Context, projectID string, body []byte, path ...string) ([]byte, error) {
				return a.DDS.Post(ctx, s.Endpoint, projectID, body, path...)
			}), nil
		}
	}
	return sinks
}

// opens returns what opens the connections of the first invocation.
func (a *App) opens(c *config.Config, links Links) []func(context.Context) {
	opens := []func(context.Context){func(ctx context.Context) { a.DDS.Connect(ctx, c.Region, c.ProjectID, c.Connections) }}
	if c.Sink.Kind == config.SMN {
		opens = append(opens, func(ctx context.Context) { a.DDS.Open(ctx, c.Sink.Endpoint, min(c.Connections, sink.MaxCalls)) })
	}
	if links.Connects != nil {
		opens = append(opens, links.Connects()...)
	}
	return opens
}

// ddsOptions returns the options of the DDS client, and prepares the look-up of credentials in a secret.
func (a *App) ddsOptions(c *config.Config, links Links) (dds.Options, error) {
	o := dds.Options{
		Endpoints:   c.Endpoints,
		Credentials: c.Credentials.Keys,
		Connections: c.Concurrency,
		Rate:        c.Rate,
		Now:         links.Now,
		Observe:     a.metrics.Call,
	}
	if c.Credentials.Secret == (arn.ARN{}) {
		return o, nil
	}
	const variable = "HUAWEICLOUD_SECRET_ARN"
	if links.ReadSecret == nil {
		return o, errors.New(variable + ": Secrets Manager is not part of this program; expected HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK")
	}
	a.credentials = newLookup(variable, func(ctx context.Context) (dds.Credentials, error) {
		text, failure := links.ReadSecret(ctx, c.Credentials.Secret)
		if failure != nil {
			a.lookupFailed(ctx, variable, failure.Class, failure.Cause)
			failure.Cause = "" // it is logged once, and not again for each request
			return dds.Credentials{}, failure
		}
		credentials, err := config.ParseSecret(text)
		if err != nil { // the content can be corrected without a deployment
			a.lookupFailed(ctx, variable, deletion.ClassForbidden, err.Error())
			return dds.Credentials{}, &deletion.Error{Class: deletion.ClassForbidden, Message: err.Error()}
		}
		return credentials, nil
	})
	o.Renew = a.credentials.get
	return o, nil
}

// newProject returns the look-up of the region's project at IAM, which is asked until it names
// one. Calls to IAM need credentials; a failure of their look-up has its own line in the log.
func (a *App) newProject(c *config.Config) *lookup[string] {
	const variable = "HUAWEICLOUD_SDK_PROJECT_ID"
	known := ""
	return newLookup(variable, func(ctx context.Context) (string, error) {
		if known != "" {
			return known, nil
		}
		found, err := a.DDS.FindProject(ctx, c.IAMEndpoint, c.Region)
		if err != nil {
			e := projectError(err)
			if a.credentials.lastFailure() == nil {
				a.lookupFailed(ctx, variable, e.Class, e.Error())
			}
			return "", e
		}
		known = found
		return known, nil
	})
}

// lookupFailed counts a failed look-up and logs its whole cause, which callers must not learn.
func (a *App) lookupFailed(ctx context.Context, variable string, class deletion.Class, cause string) {
	a.metrics.LookupFailed(class)
	a.log.ErrorContext(ctx, "look-up failed, so requests are given back", "variable", variable, "class", string(class),
		"error", secret.Redact(cause))
}

// build builds what a variable names: with a builder that a main linked, or with one that every program has.
func build[K ~string, C, S any](variable string, kind K, c *C, linked, own map[K]func(*C) (S, error)) (built S, err error) {
	maps.Copy(own, linked)
	if builder, ok := own[kind]; ok {
		return builder(c)
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(own)) {
		kinds = append(kinds, string(kind))
	}
	return built, fmt.Errorf("%s: %s is not part of this program; expected %s", variable, kind, strings.Join(kinds, " or "))
}

// connectTime is how long a start waits for its connections. With another continent a
// connection, its handshake and one answer take almost a second.
const connectTime = 2 * time.Second

// connect opens, all at once, the connections that the first invocation needs. A function has a whole
// CPU while it starts on demand and, with 128 MB, a fourteenth of one for its invocations (a whole one is
// 1,769 MB), where handshakes and reading the system's certificates would take most of the time. What
// fails here fails again, and is reported, when it is needed.
// https://serverlessland.com/content/service/lambda/guides/effectively-running-java-on-serverless/init-heavy-lifting
func connect(ctx context.Context, opens ...func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var all sync.WaitGroup
	for _, open := range opens {
		all.Go(func() { open(ctx) })
	}
	all.Wait()
}

// Close closes the connections that are kept between invocations.
func (a *App) Close() { a.DDS.CloseIdleConnections() }
