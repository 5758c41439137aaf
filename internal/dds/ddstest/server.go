// Package ddstest simulates Huawei Cloud DDS, with the gateway in front of it, the project list of IAM
// and the topics of SMN, on a loopback address. It checks signatures, keeps backups and jobs, answers
// with the documented codes and has the faults that are injected.
//
// It is for tests and for programs alike, and safe for concurrent use.
package ddstest

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults of [Options].
const (
	Region    = "cn-north-4"
	ProjectID = "0549b4a43100d4f32f51c01c2fe4acdb"
	AccessKey = "SIMULATEDDDSACCESSKY"
	SecretKey = "simulated+dds/secret0key1of2no3real4accs" //nolint:gosec // opens nothing but the simulation
)

// Options are the settings of a [Server]. The zero value is ready to use.
type Options struct {
	AccessKey, SecretKey string // the accepted key pair; the constants by default
	SecurityToken        string // of a temporary pair, expected in X-Security-Token
	Token                string // an IAM token, accepted in X-Auth-Token instead of a signature
	ProjectID, Region    string // the only project and its region; the constants by default

	Now            func() time.Time // the clock of the server; time.Now by default
	DeletionTime   time.Duration    // how long a deleted backup stays listed and its job runs; see also [Backup]
	DeletionStatus string           // of a backup being deleted; "DISABLED" by default, "DELETING" in the SDK
	JobDelay       time.Duration    // how long a new job is unknown to the jobs API: DBS.200543
	AbsentCode     string           // that the list answers to a backup_id that is not there, for example DBS.201214; empty for an empty list

	Limit  int           // calls accepted in a Window; 0 is no limit
	Window time.Duration // by Now; a minute by default

	MayNotList    bool // the caller lacks the permission dds:backup:list
	MayNotShowJob bool // the caller lacks the permission dds:task:getDetail

	// RefuseMessage returns the error that SMN answers instead of taking a message, for example 403 and SMN.0001; status 0
	// for none. It may be nil.
	RefuseMessage func(Message) (status int, code string)

	// EchoRequest makes the refusal of a signature repeat the canonical request, with every signed
	// header, and the access key, as some gateways do.
	EchoRequest bool
}

// Server is a simulated DDS. Make it with [NewServer].
type Server struct {
	guard
	faults
	store
	projects
	topics
	calls

	project string
	quota   quota
	now     func() time.Time
	skew    atomic.Int64 // nanoseconds that the server's clock is ahead of now
	http    *httptest.Server
	close   func()
}

// NewServer starts a server on 127.0.0.1, without any backup. It panics if no port is available,
// as [httptest.NewServer] does.
func NewServer(o Options) *Server {
	s := &Server{project: cmp.Or(o.ProjectID, ProjectID), now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	s.guard = guard{now: s.clock, token: o.Token, echo: o.EchoRequest, locks: make(map[string]*lock)}
	s.SetKeys(cmp.Or(o.AccessKey, AccessKey), cmp.Or(o.SecretKey, SecretKey), o.SecurityToken)
	s.quota = quota{now: s.clock, limit: o.Limit, window: cmp.Or(o.Window, time.Minute)}
	s.store = store{
		now: s.clock, deletionTime: o.DeletionTime, deletionStatus: cmp.Or(o.DeletionStatus, "DISABLED"), jobDelay: o.JobDelay,
		absentCode: o.AbsentCode, mayNotList: o.MayNotList, mayNotShowJob: o.MayNotShowJob, failReasons: make(map[string]string),
	}
	s.SetProjects(map[string]string{s.project: cmp.Or(o.Region, Region)})
	s.topics = topics{prefix: "urn:smn:" + cmp.Or(o.Region, Region) + ":" + s.project + ":", refuse: o.RefuseMessage}
	s.closing = make(chan struct{})
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.close = sync.OnceFunc(func() {
		close(s.closing)
		s.http.Close()
	})
	return s
}

// URL is the address of the server, without a slash at the end: the endpoint of DDS and of IAM.
func (s *Server) URL() string { return s.http.URL }

// Close stops the server. Requests that a fault delays are dropped, and their work is not done.
func (s *Server) Close() { s.close() }

// CloseConnections closes every open connection, as a long freeze of the client does.
func (s *Server) CloseConnections() { s.http.CloseClientConnections() }

// SetSkew puts the server's clock, which is the Date of its answers, ahead of the clock of [Options],
// or behind it if d is negative. A signature that is more than 15 minutes off is refused.
func (s *Server) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

// clock is the time by the server's clock.
func (s *Server) clock() time.Time { return s.now().Add(time.Duration(s.skew.Load())) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	in := &request{Request: r, id: newRequestID()}
	out := s.answer(in)
	s.logCall(Call{ // first, so that a client that has the answer finds the call
		Method: r.Method, Path: r.URL.EscapedPath(), BackupID: in.backupID,
		Status: out.status, Code: out.code, JobID: out.jobID, RequestID: in.id, AccessKey: in.accessKey, Fault: out.fault,
	})
	if out.status == 0 {
		drop(w)
		return
	}
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	out.write(w, in.id)
}

// answer finds the answer to a request, in the order of the real gateway: is there such an API, is the
// caller authentic, is the rate within its limit; and only then the service.
func (s *Server) answer(r *request) *answer {
	refusal := r.read()
	if refusal != nil {
		return refusal
	}
	work := s.route(r)
	if work == nil {
		return refuse(http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment")
	}
	refusal = s.authenticate(r)
	switch {
	case refusal != nil && r.iam:
		return refusal.asIAM()
	case refusal == nil && !r.smn: // which has a limit of its own
		refusal = s.quota.use()
	}
	if refusal != nil {
		return refusal
	}
	return s.apply(r, work)
}

// route returns the function that does the work of a request, or nil if there is no such API. A wrong
// method is no API either: the gateway answers both in the same way.
func (s *Server) route(r *request) func(*request) *answer {
	is := func(method string, pattern ...string) bool {
		return r.Method == method && slices.EqualFunc(r.segments, pattern, func(segment, want string) bool {
			return segment == want || want == "*" && segment != ""
		})
	}
	switch {
	case is(http.MethodGet, "v3", "projects"):
		r.iam = true
		return s.listProjects
	case is(http.MethodPost, "v2", "*", "notifications", "topics", "*", "publish"):
		r.smn = true
		return s.publish
	case is(http.MethodDelete, "v3", "*", "backups", "*"):
		r.backupID = r.segments[3]
		return s.inProject(s.deleteBackup)
	case is(http.MethodGet, "v3", "*", "backups"):
		return s.inProject(s.listBackups)
	case is(http.MethodGet, "v3", "*", "jobs"):
		return s.inProject(s.showJob)
	case is(http.MethodGet, "v3.1", "*", "jobs"):
		return s.inProject(s.listJobs)
	default:
		return nil
	}
}

// inProject accepts only requests for the server's own project. No page says what those for another
// project get; DBS.200010, "the tenant does not match", is the nearest in the table.
func (s *Server) inProject(work func(*request) *answer) func(*request) *answer {
	return func(r *request) *answer {
		if r.segments[1] != s.project {
			return refuse(http.StatusBadRequest, "DBS.200010", "The tenant does not match the project or instance.")
		}
		return work(r)
	}
}
