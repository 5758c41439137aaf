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

	MayNotList bool // the caller lacks the right dds:backup:list
}

// Server is a simulated DDS. Make it with [NewServer].
type Server struct {
	project    string
	mayNotList bool

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
	now := o.Now
	if now == nil {
		now = time.Now
	}
	s := &Server{
		project:    cmp.Or(o.ProjectID, ProjectID),
		mayNotList: o.MayNotList,
		closing:    make(chan struct{}),
		guard: guard{
			now:   now,
			token: o.Token,
			keys:  keys{cmp.Or(o.AccessKey, AccessKey), cmp.Or(o.SecretKey, SecretKey), o.SecurityToken},
		},
		quota: quota{now: now, limit: o.Limit, window: cmp.Or(o.Window, time.Minute)},
		store: store{now: now, deleteTakes: o.DeleteTakes, deletionStatus: cmp.Or(o.DeletionStatus, "DISABLED")},
	}
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
