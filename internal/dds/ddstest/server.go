// Package ddstest simulates Huawei Cloud DDS, with the gateway in front of it and the project
// list of IAM, on a loopback address. It checks signatures, keeps backups and jobs, answers
// with the documented codes and suffers the faults that it is told to.
//
// It is for tests and for programs alike, and safe for concurrent use.
package ddstest

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"
)

// What a [Server] takes for its own unless [Options] say otherwise.
const (
	Region    = "cn-north-4"
	ProjectID = "0549b4a43100d4f32f51c01c2fe4acdb"
	AccessKey = "SIMULATEDDDSACCESSKY"
	SecretKey = "simulated+dds/secret0key1of2no3real4accs" //nolint:gosec // opens nothing but the simulation
)

// Options are what a [Server] can be told at its start. The zero value is ready to use.
type Options struct {
	AccessKey, SecretKey string // the accepted key pair; the constants by default
	SecurityToken        string // that of a temporary pair, wanted in X-Security-Token
	Token                string // an IAM token, accepted in X-Auth-Token instead of a signature
	ProjectID, Region    string // the only project and its region; the constants by default

	Now            func() time.Time // the clock of the server; time.Now by default
	DeleteTakes    time.Duration    // how long a deleted backup stays listed and its job runs
	DeletionStatus string           // of a backup being deleted; "DISABLED" by default, "DELETING" in the SDK

	Limit  int           // calls let through in a Window; 0 is no limit
	Window time.Duration // by Now; a minute by default

	MayNotList bool // the caller lacks the permission dds:backup:list

	// EchoRequest has the refusal of a signature repeat the canonical request and the access key, with
	// every signed header, as some gateways do.
	EchoRequest bool
}

// Server is a simulated DDS. Make it with [NewServer].
type Server struct {
	project    string
	mayNotList bool
	now        func() time.Time
	skew       atomic.Int64 // nanoseconds that the server's clock is ahead of now

	http    *httptest.Server
	closing chan struct{}
	close   func()

	guard    guard
	quota    quota
	faults   faults
	store    store
	projects projects
	calls    calls
}

// NewServer starts a server on 127.0.0.1, without any backup. It panics where no port is to be
// had, as [httptest.NewServer] does.
func NewServer(o Options) *Server {
	s := &Server{
		project:    cmp.Or(o.ProjectID, ProjectID),
		mayNotList: o.MayNotList,
		now:        o.Now,
		closing:    make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.guard = guard{
		now:   s.clock,
		token: o.Token,
		keys:  keys{cmp.Or(o.AccessKey, AccessKey), cmp.Or(o.SecretKey, SecretKey), o.SecurityToken},
		echo:  o.EchoRequest,
	}
	s.quota = quota{now: s.clock, limit: o.Limit, window: cmp.Or(o.Window, time.Minute)}
	s.store = store{now: s.clock, deleteTakes: o.DeleteTakes, deletionStatus: cmp.Or(o.DeletionStatus, "DISABLED")}
	s.SetProjects(map[string]string{s.project: cmp.Or(o.Region, Region)})
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.close = sync.OnceFunc(func() {
		close(s.closing)
		s.http.Close()
	})
	return s
}

// URL is the address of the server, without a slash at the end. It stands for the endpoint of
// DDS and for that of IAM.
func (s *Server) URL() string { return s.http.URL }

// Close stops the server. Requests that a fault holds up are dropped, without their work done.
func (s *Server) Close() { s.close() }

// CloseConnections closes every open connection, as a long freeze of the client does.
func (s *Server) CloseConnections() { s.http.CloseClientConnections() }

// SetKeys replaces the accepted key pair; token is that of a temporary pair, else empty.
// A lock on an access key stays.
func (s *Server) SetKeys(ak, sk, token string) { s.guard.setKeys(keys{ak, sk, token}) }

// SetSkew puts the server's clock, which its answers tell in Date, ahead of that of [Options] from now
// on, or behind it if d is negative. A signature that is more than 15 minutes off is refused.
func (s *Server) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

// clock is the time by the server's clock.
func (s *Server) clock() time.Time { return s.now().Add(time.Duration(s.skew.Load())) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	in := &request{Request: r, id: newRequestID()}
	out := s.answer(r.Context(), in)
	s.calls.add(Call{ // first, so that whoever has the answer finds the call
		Method: r.Method, Path: r.URL.EscapedPath(), BackupID: in.backupID,
		Status: out.status, Code: out.code, JobID: out.jobID, RequestID: in.id, Fault: out.fault,
	})
	if out.status == 0 {
		drop(w)
		return
	}
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	out.write(w, in.id)
}

// answer finds the answer to a request, in the order of the real gateway: is there such an
// API, who asks, how often; and only then the service.
func (s *Server) answer(ctx context.Context, r *request) *answer {
	if refusal := r.read(); refusal != nil {
		return refusal
	}
	work := s.route(r)
	if work == nil {
		return refuse(http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment")
	}
	if refusal := s.guard.admit(r); refusal != nil {
		if r.iam {
			return refusal.asIAM()
		}
		return refusal
	}
	if refusal := s.quota.use(); refusal != nil {
		return refusal
	}
	if fault, ok := s.faults.take(r.Method, r.backupID); ok {
		return s.suffer(ctx, fault, r, work)
	}
	return work(r)
}
