package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuOf returns how long the threads of a process were on a CPU so far, user and system time,
// to the nanosecond. Threads that have ended are left out; the peers keep theirs.
// https://docs.kernel.org/scheduler/sched-stats.html
func cpuOf(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("measure: no threads of process %d", pid)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a file below /proc
		if err != nil {
			continue // a thread that has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("measure: %s: %w", file, err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// peakOf returns the most memory, in MB, that a process had resident so far.
func peakOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kb, err := strconv.ParseFloat(string(fields[1]), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("measure: process %d tells no VmHWM", pid)
}
