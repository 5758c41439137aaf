// Package valkeytest runs real Valkey or Redis servers for tests.
package valkeytest

import (
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	client "github.com/valkey-io/valkey-go"
)

// Server is a server in a process of its own. It ends with its test.
type Server struct {
	// Address is the host and port where it listens.
	Address string
	// Folder has its files.
	Folder string

	t         *testing.T
	binary    string
	arguments []string
	log       string
	process   *exec.Cmd
}

// Durable are the arguments for a server that acknowledges only what is on its disk.
func Durable() []string { return []string{"--appendonly", "yes", "--appendfsync", "always"} }

// Start starts the server that VALKEY_SERVER names, otherwise a valkey-server or redis-server of the PATH, with
// arguments beside those for its address and folder. It skips the test if there is none; tools/with-valkey has one.
func Start(t *testing.T, arguments ...string) *Server {
	t.Helper()
	found := os.Getenv("VALKEY_SERVER")
	for _, name := range []string{"valkey-server", "redis-server"} {
		path, err := exec.LookPath(name)
		if err == nil {
			found = cmp.Or(found, path)
		}
	}
	if found == "" {
		t.Skip("no valkey-server or redis-server; tools/with-valkey runs a command with one")
	}
	address := FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	folder := t.TempDir()
	s := &Server{
		Address: address, Folder: folder, t: t, binary: found, log: filepath.Join(folder, "log"),
		arguments: append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "", "--logfile", filepath.Join(folder, "log")}, arguments...),
	}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Kill ends the server with SIGKILL. What is not on its disk is lost.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended by itself
	_ = s.process.Wait()         // which reports the signal
	s.process = nil
}

// Restart starts a server that was killed again, with the same folder and address, and waits until it listens.
func (s *Server) Restart() {
	s.t.Helper()
	s.process = exec.Command(s.binary, s.arguments...) //nolint:gosec,noctx // whoever runs the tests names it, and Kill ends it
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.Address) //nolint:noctx // on this machine it answers at once
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(s.log)
			s.t.Fatalf("the server does not listen: %v\n%s", err, text)
		}
	}
}

// Command runs a command as the default user.
func (s *Server) Command(words ...string) client.ValkeyResult {
	s.t.Helper()
	c, err := client.NewClient(client.ClientOption{InitAddress: []string{s.Address}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	result := c.Do(s.t.Context(), c.B().Arbitrary(words...).Build())
	if result.Error() != nil && !client.IsValkeyNil(result.Error()) {
		s.t.Fatal(words, result.Error())
	}
	return result
}

// FreeAddress returns an address of this machine where nothing listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it only looks
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	return l.Addr().String()
}
