package ddstest

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDelete(t *testing.T) {
	for name, tc := range map[string]struct {
		backup Backup
		status int
		code   string
	}{
		"manual":       {Backup{ID: "b"}, 200, ""},
		"failed":       {Backup{ID: "b", Status: "FAILED"}, 200, ""},
		"not there":    {Backup{ID: "another"}, 400, "DBS.201214"},
		"disabled":     {Backup{ID: "b", Status: "DISABLED"}, 400, "DBS.201204"},
		"deleting":     {Backup{ID: "b", Status: "deleting"}, 400, "DBS.201204"},
		"restoring":    {Backup{ID: "b", Restoring: true}, 400, "DBS.201319"},
		"building":     {Backup{ID: "b", Status: "BUILDING"}, 403, "DBS.200019"},
		"automated":    {Backup{ID: "b", Type: "Auto"}, 400, "DBS.200004"},
		"incremental":  {Backup{ID: "b", Type: "incremental"}, 400, "DBS.200004"},
		"manual, case": {Backup{ID: "b", Type: "manual"}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newServer(t, Options{})
			s.Add(tc.backup)
			got := c.delete("b")
			got.want(t, tc.status, tc.code)
			jobs, calls := s.Jobs(), s.Calls()
			if len(calls) != 1 {
				t.Fatalf("calls %+v", calls)
			}
			id := got.header.Get("X-Request-Id")
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
				t.Errorf("X-Request-Id %q", id)
			}
			want := Call{Method: "DELETE", Path: "/v3/" + ProjectID + "/backups/b", BackupID: "b", Status: tc.status, Code: tc.code, RequestID: id, AccessKey: AccessKey}
			if tc.code == "" {
				if len(jobs) != 1 || jobs[0].BackupID != "b" || got.text != `{"job_id":"`+jobs[0].ID+`"}` ||
					!regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(jobs[0].ID) {
					t.Fatalf("answer %s, jobs %+v", got.text, jobs)
				}
				want.JobID = jobs[0].ID
			} else if len(jobs) != 0 {
				t.Errorf("jobs %+v", jobs)
			}
			if calls[0] != want {
				t.Errorf("call %+v, want %+v", calls[0], want)
			}
			if _, there := s.Backup("b"); there != (tc.code != "" && tc.backup.ID == "b") {
				t.Errorf("there: %v", there)
			}
		})
	}
}

func TestDeletionTime(t *testing.T) {
	for _, word := range []string{"", "DELETING"} {
		clock := newClock()
		s, c := newServer(t, Options{Now: clock.Now, DeletionTime: time.Minute, DeletionStatus: word})
		s.Add(Backup{ID: "b"})
		c.delete("b").want(t, 200, "")
		if word == "" {
			word = "DISABLED"
		}
		if b, ok := s.Backup("b"); !ok || b.Status != word {
			t.Errorf("backup %+v", b)
		}
		if got := c.list("?backup_id=b"); !strings.Contains(got.text, `"status":"`+word+`"`) {
			t.Errorf("list %s", got.text)
		}
		c.delete("b").want(t, 400, "DBS.201204")
		clock.Pass(time.Minute)
		if got := s.Backups(); len(got) != 0 {
			t.Errorf("backups %+v", got)
		}
		c.delete("b").want(t, 400, "DBS.201214")
		s.Add(Backup{ID: "b"})
		c.delete("b").want(t, 200, "")
	}
}

type backupList struct {
	Backups    []listedBackup `json:"backups"`
	TotalCount int            `json:"total_count"`
}

func TestListBackups(t *testing.T) {
	s, c := newServer(t, Options{Now: newClock().Now})
	s.Add(
		Backup{ID: "old", InstanceID: "i1", Begin: start.Add(-3 * time.Hour)},
		Backup{ID: "new", InstanceID: "i2", Type: "Auto", Restoring: true, Mode: "Sharding"},
		Backup{ID: "newest", InstanceID: "i1", Type: "manual"},
		Backup{ID: "inc", InstanceID: "i1", Type: "Incremental", Begin: start.Add(-2 * time.Hour)},
	)
	for query, want := range map[string]struct {
		ids   string
		total int
	}{
		"":                    {"newest new old", 3},
		"?instance_id=i1":     {"newest old", 2},
		"?backup_type=MANUAL": {"newest old", 2},
		"?backup_type=auto":   {"new", 1},
		"?backup_type=Incremental&instance_id=i1": {"inc", 1},
		"?backup_type=Incremental&instance_id=i2": {"", 0},
		"?backup_id=inc":                {"", 0},
		"?backup_id=inc&instance_id=i1": {"inc", 1},
		"?backup_id=old":                {"old", 1},
		"?backup_id=none":               {"", 0},
		"?limit=2&offset=1":             {"new old", 3},
		"?limit=100&offset=9":           {"", 3},
		"?mode=Sharding":                {"new", 1},
		"?mode=ReplicaSet":              {"newest old", 2},
		"?mode=Single":                  {"", 0},
		"?begin_time=2026-11-01%2009%3A00%3A00&end_time=2026-11-01%2010%3A59%3A59": {"old", 1},
		"?begin_time=2026-11-01%2011%3A00%3A00&end_time=2026-11-01%2011%3A00%3A00": {"newest new", 2},
	} {
		got := decode[backupList](t, c.list(canonical(query)))
		var ids []string
		for _, b := range got.Backups {
			ids = append(ids, b.ID)
		}
		if strings.Join(ids, " ") != want.ids || got.TotalCount != want.total || got.Backups == nil {
			t.Errorf("%s: %v, total %d", query, ids, got.TotalCount)
		}
	}
	for code, queries := range map[string][]string{
		"DBS.280001": {"?backup_type=odd", "?backup_type=incremental", "?mode=single", "?status=x"},
		"DBS.280067": {"?end_time=2026-11-01%2000%3A00%3A00", "?begin_time=2026-11-01T00%3A00%3A00Z&end_time=2026-11-01%2000%3A00%3A00"},
		"DBS.280068": {"?begin_time=2026-11-01%2000%3A00%3A00", "?begin_time=2026-11-01%2000%3A00%3A00&end_time=2026-10-01%2000%3A00%3A00"},
		"DBS.280404": {"?instance_id=i%2A"},
		"DBS.280439": {"?limit=0", "?limit=101", "?limit=x"},
		"DBS.280440": {"?offset=-1", "?offset=x"},
	} {
		for _, query := range queries {
			c.list(query).want(t, 400, code)
		}
	}
	got := decode[backupList](t, c.list("?backup_id=new")).Backups[0]
	want := listedBackup{
		ID: "new", Name: "backup-new", InstanceID: "i2", InstanceName: "dds-orders", Datastore: datastore{"DDS-Community", "4.0"},
		Type: "Auto", BeginTime: "2026-11-01 11:00:00", EndTime: "2026-11-01 11:05:00", Status: "COMPLETED", Size: 1 << 20,
		InstanceStatus: "normal", InstanceMode: "Sharding", Restoring: true, BackupMethod: "Physical",
	}
	if got != want {
		t.Errorf("backup %+v, want %+v", got, want)
	}
	if !decode[backupList](t, c.list("?backup_id=old")).Backups[0].Deletable {
		t.Error("a manual backup is not deletable")
	}
}

// canonical sorts a query, which the tests' signer leaves to its caller.
func canonical(query string) string {
	if query == "" {
		return ""
	}
	pairs := strings.Split(query[1:], "&")
	slices.Sort(pairs)
	return "?" + strings.Join(pairs, "&")
}

func TestMayNotList(t *testing.T) {
	s, c := newServer(t, Options{MayNotList: true})
	s.Add(Backup{ID: "b"})
	c.list("").want(t, 403, "DBS.280063")
	c.delete("b").want(t, 200, "")
}

func TestShowJob(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now, DeletionTime: time.Minute})
	s.Add(Backup{ID: "b", InstanceID: "i", InstanceName: "n"})
	c.delete("b")
	id := s.Jobs()[0].ID
	path := "/v3/" + ProjectID + "/jobs"
	clock.Pass(15 * time.Second)
	want := shownJob{
		ID: id, Name: jobName, Status: "Running", Progress: "25%", Instance: instance{"i", "n"},
		Created: "2026-11-01T12:00:00+0000", Ended: "2026-11-01T12:01:00+0000",
	}
	if got := decode[map[string]shownJob](t, c.do("GET", path+"?id="+id))["job"]; got != want {
		t.Errorf("job %+v, want %+v", got, want)
	}
	clock.Pass(45 * time.Second)
	want.Status, want.Progress = "Completed", ""
	if got := decode[map[string]shownJob](t, c.do("GET", path+"?id="+id))["job"]; got != want {
		t.Errorf("job %+v, want %+v", got, want)
	}
	c.do("GET", path+"?id=none").want(t, 400, "DBS.200543")
	c.do("GET", path).want(t, 400, "DBS.280001")
	c.do("GET", path+"?id="+id+"&x=y").want(t, 400, "DBS.280001")
}

func TestListJobs(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now, DeletionTime: 90 * time.Minute})
	s.Add(Backup{ID: "a", InstanceID: "i", InstanceName: "n"}, Backup{ID: "b"})
	c.delete("a")
	clock.Pass(time.Hour)
	c.delete("b")
	clock.Pass(time.Hour)
	jobs := s.Jobs()
	first, second := jobs[0].ID, jobs[1].ID
	type jobList struct {
		Jobs       []listedJob `json:"jobs"`
		TotalCount int         `json:"total_count"`
	}
	list := func(query string) reply { return c.do("GET", "/v3.1/"+ProjectID+"/jobs"+query) }
	const day = "end_time=2026-11-02T00%3A00%3A00Z"
	for query, want := range map[string][]string{
		"?" + day + "&start_time=2026-11-01T00%3A00%3A00Z":                       {second, first},
		"?" + day + "&start_time=2026-11-01T12%3A30%3A00%2B0000":                 {second},
		"?" + day + "&start_time=2026-11-01T00%3A00%3A00Z&status=Running":        {second},
		"?" + day + "&id=" + first + "&start_time=2026-11-01T00%3A00%3A00Z":      {first},
		"?" + day + "&name=other&start_time=2026-11-01T00%3A00%3A00Z":            nil,
		"?" + day + "&limit=1&offset=1&start_time=2026-11-01T12%3A00%3A00Z":      {first},
		"?end_time=2026-11-01T12%3A00%3A00Z&start_time=2026-11-01T11%3A00%3A00Z": {first},
	} {
		got := decode[jobList](t, list(query))
		var ids []string
		for _, j := range got.Jobs {
			ids = append(ids, j.ID)
		}
		if !slices.Equal(ids, want) || got.Jobs == nil {
			t.Errorf("%s: %v, want %v", query, ids, want)
		}
	}
	want := listedJob{
		ID: first, Name: jobName, InstanceID: "i", InstanceName: "n", Status: "Completed",
		CreatedAt: "2026-11-01T12:00:00+0000", EndedAt: "2026-11-01T13:30:00+0000",
	}
	if got := decode[jobList](t, list("?"+day+"&id="+first+"&start_time=2026-11-01T00%3A00%3A00Z")).Jobs[0]; got != want {
		t.Errorf("job %+v, want %+v", got, want)
	}
	for code, queries := range map[string][]string{
		"DBS.280001": {"?" + day + "&start_time=2026-11-01T00%3A00%3A00Z&x=y"},
		"DBS.280067": {"", "?" + day, "?" + day + "&start_time=yesterday"},
		"DBS.280068": {"?start_time=2026-11-01T00%3A00%3A00Z", "?" + day + "&start_time=2026-10-01T00%3A00%3A00Z", "?" + day + "&start_time=2026-11-03T00%3A00%3A00Z"},
		"DBS.280439": {"?" + day + "&limit=0&start_time=2026-11-01T00%3A00%3A00Z"},
	} {
		for _, query := range queries {
			list(query).want(t, 400, code)
		}
	}
}

// A deletion that fails leaves the backup, and the job gives the reason.
func TestFailJobs(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now, DeletionTime: time.Minute})
	s.Add(Backup{ID: "b"})
	s.FailJobs("storage is out of reach")
	c.delete("b").want(t, 200, "")
	show := func() shownJob {
		return decode[map[string]shownJob](t, c.do("GET", "/v3/"+ProjectID+"/jobs?id="+s.Jobs()[0].ID))["job"]
	}
	if job := show(); job.Status != "Running" || job.FailReason != nil {
		t.Errorf("job %+v", job)
	}
	clock.Pass(time.Minute)
	if job := show(); job.Status != "Failed" || job.FailReason == nil || *job.FailReason != "storage is out of reach" {
		t.Errorf("job %+v", job)
	}
	if b, ok := s.Backup("b"); !ok || b.Status != "COMPLETED" {
		t.Errorf("backup %+v, there: %v", b, ok)
	}
	s.FailJobs("")
	c.delete("b").want(t, 200, "")
	clock.Pass(time.Minute)
	if _, ok := s.Backup("b"); ok {
		t.Error("the backup is still there")
	}
}

// A backup may have its own time and its own reason.
func TestDeletionOfOneBackup(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now})
	s.Add(Backup{ID: "slow", DeletionTime: time.Hour}, Backup{ID: "quick"})
	s.FailJobs("locked", "slow")
	c.delete("slow").want(t, 200, "")
	c.delete("quick").want(t, 200, "")
	if _, there := s.Backup("quick"); there {
		t.Error("the quick one is still there")
	}
	clock.Pass(time.Hour - time.Second)
	if b, _ := s.Backup("slow"); b.Status != "DISABLED" {
		t.Errorf("before its time: %+v", b)
	}
	clock.Pass(time.Second)
	if b, _ := s.Backup("slow"); b.Status != "COMPLETED" {
		t.Errorf("after its deletion failed: %+v", b)
	}
	if jobs := s.Jobs(); jobs[0].FailReason != "locked" || jobs[1].FailReason != "" {
		t.Errorf("jobs %+v", jobs)
	}
	s.FailJobs("", "slow")
	c.delete("slow").want(t, 200, "")
	clock.Pass(time.Hour)
	if _, there := s.Backup("slow"); there {
		t.Error("the second deletion left it")
	}
}

// The jobs API knows a new job only after a while, and may need a permission that the caller lacks.
func TestJobsThatAreNotShown(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now, JobDelay: 10 * time.Second})
	s.Add(Backup{ID: "b"})
	c.delete("b")
	path := "/v3/" + ProjectID + "/jobs?id=" + s.Jobs()[0].ID
	c.do("GET", path).want(t, 400, "DBS.200543")
	clock.Pass(10 * time.Second)
	c.do("GET", path).want(t, 200, "")

	_, c = newServer(t, Options{MayNotShowJob: true})
	c.do("GET", path).want(t, 403, "DBS.280063")
}

// Only a query for one backup by its id gets the code.
func TestAbsentCode(t *testing.T) {
	s, c := newServer(t, Options{AbsentCode: "DBS.201214"})
	c.list("").want(t, 200, "")
	c.list("?backup_id=b").want(t, 400, "DBS.201214")
	s.Add(Backup{ID: "b"})
	c.list("?backup_id=b").want(t, 200, "")
}

// The answers have the time of the server's clock, and its gateway checks signatures by it.
func TestSkew(t *testing.T) {
	s, c := newServer(t, Options{})
	for skew, code := range map[time.Duration]string{0: "", 14 * time.Minute: "", -16 * time.Minute: "APIGW.0301", 16 * time.Minute: "APIGW.0301"} {
		s.SetSkew(skew)
		got := c.list("")
		if got.code != code {
			t.Errorf("%v: %d %s", skew, got.status, got.text)
		}
		date, err := http.ParseTime(got.header.Get("Date"))
		if off := time.Until(date) - skew; err != nil || off.Abs() > time.Minute {
			t.Errorf("%v: Date %q", skew, got.header.Get("Date"))
		}
	}
}

func TestEchoRequest(t *testing.T) {
	_, c := newServer(t, Options{EchoRequest: true})
	c.secret = "wrong"
	got := c.list("")
	got.want(t, 401, "APIGW.0301")
	for _, want := range []string{"canonicalRequest:GET|/v3/" + ProjectID + "/backups/||", "|x-sdk-date:", "ak:" + AccessKey} {
		if !strings.Contains(got.msg, want) {
			t.Errorf("%q is not in %q", want, got.msg)
		}
	}
}

func TestListProjects(t *testing.T) {
	type projectList struct {
		Projects []listedProject `json:"projects"`
		Links    links           `json:"links"`
	}
	s, c := newServer(t, Options{})
	ids := func(query string) string {
		t.Helper()
		var ids []string
		for _, p := range decode[projectList](t, c.do("GET", "/v3/projects"+query)).Projects {
			if !p.Enabled || p.DomainID == "" || p.Links.Self != s.URL()+"/v3/projects/"+p.ID {
				t.Errorf("project %+v", p)
			}
			ids = append(ids, p.ID+"="+p.Name)
		}
		return strings.Join(ids, " ")
	}
	if got := ids("?name=" + Region); got != ProjectID+"="+Region {
		t.Errorf("projects %s", got)
	}
	if got := ids("?name=cn-south-1"); got != "" {
		t.Errorf("projects %s", got)
	}
	s.SetProjects(map[string]string{"2": Region, "1": Region, "3": "MOS"})
	if got := ids("?name=" + Region); got != "1="+Region+" 2="+Region {
		t.Errorf("projects %s", got)
	}
	if got := ids(""); got != "1="+Region+" 2="+Region+" 3=MOS" {
		t.Errorf("projects %s", got)
	}
	c.secret = "wrong"
	got := c.do("GET", "/v3/projects")
	if want := `{"error":{"message":"Incorrect IAM authentication information: verify aksk signature fail","code":401,"title":"Unauthorized"}}`; got.status != 401 || got.text != want {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestNoSuchAPI(t *testing.T) {
	_, c := newServer(t, Options{})
	for _, call := range []string{
		"GET /", "GET /v3", "GET /v3/" + ProjectID, "PUT /v3/" + ProjectID + "/backups/b", "GET /v3/" + ProjectID + "/backups/b",
		"POST /v3/" + ProjectID + "/backups", "GET /v3.1/" + ProjectID + "/backups", "DELETE /v3/" + ProjectID + "/backups/b/",
		"DELETE /v3/" + ProjectID + "/backups/", "DELETE /v3//backups/b", "POST /v3/projects",
	} {
		method, path, _ := strings.Cut(call, " ")
		got := c.do(method, path)
		got.want(t, 404, "APIGW.0101")
		if !strings.Contains(got.text, `"request_id":"`+got.header.Get("X-Request-Id")+`"`) {
			t.Errorf("%s: %s", call, got.text)
		}
	}
}

func TestAnotherProject(t *testing.T) {
	s, c := newServer(t, Options{ProjectID: "p"})
	s.Add(Backup{ID: "b"})
	c.delete("b").want(t, 400, "DBS.200010")
	c.do("DELETE", "/v3/p/backups/b").want(t, 200, "")
}

func TestMalformedRequests(t *testing.T) {
	_, c := newServer(t, Options{})
	c.list("?a=%zz").want(t, 400, "APIGW.0201")
	got, err := c.try(c.request("GET", "/v3/"+ProjectID+"/backups", strings.Repeat("x", maxBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	got.want(t, 413, "APIGW.0201")
}

// An encoded slash stays within its segment.
func TestEncodedSlash(t *testing.T) {
	s, c := newServer(t, Options{Token: "token"})
	s.Add(Backup{ID: "a/b"})
	c.change = func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("X-Auth-Token", "token")
	}
	c.delete("a%2Fb").want(t, 200, "")
	if call := s.Calls()[0]; call.BackupID != "a/b" || !strings.HasSuffix(call.Path, "a%2Fb") {
		t.Errorf("call %+v", call)
	}
}

func TestQuota(t *testing.T) {
	for window, text := range map[time.Duration]string{
		0:                 "limit:2,time:1 minute",
		5 * time.Minute:   "limit:2,time:5 minute",
		90 * time.Second:  "limit:2,time:90 second",
		time.Second / 100: "limit:2,time:1 second",
	} {
		clock := newClock()
		_, c := newServer(t, Options{Now: clock.Now, Limit: 2, Window: window})
		for range 2 { // windows
			c.list("").want(t, 200, "")
			c.list("").want(t, 200, "")
			got := c.list("")
			got.want(t, 429, "APIGW.0308")
			if got.msg != "policy user over ratelimit,"+text {
				t.Errorf("text %q", got.msg)
			}
			clock.Pass(max(window, time.Second))
			if window == 0 {
				c.list("").want(t, 429, "APIGW.0308")
				clock.Pass(time.Minute)
			}
		}
	}
}

func TestSampleBackups(t *testing.T) {
	samples := SampleBackups()
	if !reflect.DeepEqual(samples, SampleBackups()) || len(samples) != 65 {
		t.Fatalf("%d samples, or others each time", len(samples))
	}
	s, c := newServer(t, Options{})
	s.Add(samples...)
	if !reflect.DeepEqual(s.Backups(), samples) {
		t.Errorf("backups %+v, want them as they were added", s.Backups())
	}
	for i, b := range samples {
		if !regexp.MustCompile(`^[0-9a-f]{32}br02$`).MatchString(b.ID) || !regexp.MustCompile(`^[0-9a-f]{32}in02$`).MatchString(b.InstanceID) {
			t.Errorf("ids %s, %s", b.ID, b.InstanceID)
		}
		if got := c.delete(b.ID); (got.status == 200) == (i == 10 || i == 11) {
			t.Errorf("%s: %d %s", b.ID, got.status, got.text)
		}
	}
}

func TestConcurrency(t *testing.T) {
	s, c := newServer(t, Options{})
	var wg sync.WaitGroup
	for i := range 50 {
		id := fmt.Sprintf("b%d", i)
		wg.Go(func() {
			s.Add(Backup{ID: id})
			s.Inject(Answer(500, "DBS.280005", "injected").For(id))
			for _, want := range []int{500, 200, 400} {
				got, err := c.try(c.request("DELETE", "/v3/"+ProjectID+"/backups/"+id, ""))
				if err != nil || got.status != want {
					t.Errorf("%d %s, error %v, want %d", got.status, got.text, err, want)
				}
			}
			s.Backup(id)
			s.Backups()
			s.Calls()
		})
	}
	wg.Wait()
	if jobs, calls := len(s.Jobs()), len(s.Calls()); jobs != 50 || calls != 150 {
		t.Errorf("%d jobs, %d calls", jobs, calls)
	}
}

func TestCloseTwice(t *testing.T) {
	s, _ := newServer(t, Options{})
	s.Close()
	s.Close()
}
