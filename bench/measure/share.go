package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A function has a whole CPU while it starts, and afterwards one for each 1,769 MB of its memory.
// https://serverlessland.com/content/service/lambda/guides/effectively-running-java-on-serverless/init-heavy-lifting and
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const (
	sharePeriod = 20 * time.Millisecond
	shareQuota  = sharePeriod * 128 / 1769
)

// share is a control group that has as much of a CPU as a function of 128 MB.
type share struct{ dir string }

// newShare makes the group, where this machine lets us.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files and
// https://docs.kernel.org/scheduler/sched-bwc.html
func newShare() (*share, error) {
	us := func(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
	var faults []error
	for _, version := range []struct {
		parent string
		files  [][2]string
	}{
		{"/sys/fs/cgroup", [][2]string{{"cpu.max", us(shareQuota) + " " + us(sharePeriod)}}},
		{"/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", us(sharePeriod)}, {"cpu.cfs_quota_us", us(shareQuota)}}},
	} {
		dir, err := os.MkdirTemp(version.parent, "bench")
		if err == nil {
			s := &share{dir}
			for _, file := range version.files {
				err = errors.Join(err, s.write(file[0], file[1]))
			}
			if err == nil {
				return s, nil
			}
			_ = s.close()
		}
		faults = append(faults, err)
	}
	return nil, fmt.Errorf("measure: no share of a CPU can be given here: %w", errors.Join(faults...))
}

// write changes a file that the kernel made.
func (s *share) write(name, text string) error {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY, 0) //nolint:gosec // a file of the group
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// limit puts a process into the group.
func (s *share) limit(pid int) error { return s.write("cgroup.procs", strconv.Itoa(pid)) }

func (s *share) close() error { return os.Remove(s.dir) }
