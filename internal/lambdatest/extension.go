package lambdatest

import (
	"encoding/json"
	"io"
	"net/http"
)

const headerExtensionID = "Lambda-Extension-Identifier"

// serveRegister registers an extension without events, which enables SIGTERM.
func (f *Function) serveRegister(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Lambda-Extension-Name") == "" {
		refuse(w, http.StatusBadRequest, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	var in struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestFormat", err.Error())
		return
	}
	if len(in.Events) > 0 { // they would never be sent
		refuse(w, http.StatusNotImplemented, "Extension.InvalidEventType", "lambdatest sends no extension events")
		return
	}
	w.Header().Set(headerExtensionID, f.registerExtension())
	reply(w, http.StatusOK, []byte(`{"functionName":"lambdatest","functionVersion":"$LATEST","handler":""}`))
}

// serveExtensionNext holds the request until the process ends, because there
// are no events.
func (f *Function) serveExtensionNext(w http.ResponseWriter, r *http.Request) {
	if !f.isExtension(r.Header.Get(headerExtensionID)) {
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension")
		return
	}
	select {
	case <-r.Context().Done():
	case <-f.exited:
	}
}

func (f *Function) registerExtension() string {
	id := newUUID()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.extensions[id] = struct{}{}
	return id
}

func (f *Function) isExtension(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.extensions[id]
	return ok
}
