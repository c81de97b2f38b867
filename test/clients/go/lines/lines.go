// Package lines is what the Go programs share: commands as lines of JSON on standard input, one answer line each on standard
// output. The commands and their fields are described in ../../program.ts.
package lines

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"runtime/debug"
	"sync"
)

type Command struct {
	Op                string            `json:"op"`
	Bootstrap         string            `json:"bootstrap"`
	Topic             string            `json:"topic"`
	Partition         int32             `json:"partition"`
	Partitions        int32             `json:"partitions"`
	ReplicationFactor int16             `json:"replicationFactor"`
	Configs           map[string]string `json:"configs"`
	ValidateOnly      bool              `json:"validateOnly"`
	Count             int               `json:"count"`
	Until             *int64            `json:"until"`
	Key               string            `json:"key"`
	Value             *string           `json:"value"`
	Before            int64             `json:"before"`
	At                json.RawMessage   `json:"at"`
	From              json.RawMessage   `json:"from"`
	Compression       string            `json:"compression"`
	Acks              string            `json:"acks"`
	Idempotent        bool              `json:"idempotent"`
	AutoCreate        bool              `json:"autoCreate"`
	TimeoutMs         int               `json:"timeoutMs"`
	Records           []Record          `json:"records"`
	Isolation         string            `json:"isolation"`
	Producer          string            `json:"producer"`
	TransactionalID   string            `json:"transactionalId"`
	Commit            bool              `json:"commit"`
	Membership
	Offsets []Offset `json:"offsets"`
	Offset  int64    `json:"offset"`
}

// Record is one record; encoding/json reads and writes []byte as base64, and nil as null.
type Record struct {
	Offset    *int64   `json:"offset,omitempty"`
	Timestamp *int64   `json:"timestamp,omitempty"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Header is a pair of name and value, as an array in JSON.
type Header struct {
	Name  string
	Value []byte
}

func (h *Header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.Name, &h.Value})
}

func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Name, h.Value})
}

// Position is where reading starts: an offset, the beginning, or the first record that is not older than a timestamp.
type Position struct {
	Earliest  bool
	Offset    int64
	Timestamp *int64
}

func (c *Command) Start() (Position, error) {
	if string(c.From) == `"earliest"` {
		return Position{Earliest: true}, nil
	}
	if c.From[0] == '{' {
		var at struct {
			Timestamp int64 `json:"timestamp"`
		}
		err := json.Unmarshal(c.From, &at)
		return Position{Timestamp: &at.Timestamp}, err
	}
	var offset int64
	err := json.Unmarshal(c.From, &offset)
	return Position{Offset: offset}, err
}

// Fields is an object of an answer.
type Fields map[string]any

// Error is what an answer says of an error: the code of Kafka's protocol when the client carries one.
type Error struct {
	Code    *int16 `json:"code"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

type answer struct {
	Result Fields `json:"result"`
	Error  *Error `json:"error,omitempty"`
}

// Serve answers commands until standard input ends.
func Serve(run func(*Command) (Fields, error), describe func(error) Error) {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var command Command
		if err == nil {
			err = json.Unmarshal(line, &command)
		}
		var result answer
		if err == nil {
			result.Result, err = run(&command)
		}
		if err != nil {
			described := describe(err)
			result = answer{Error: &described}
		}
		write(result)
	}
}

var writing sync.Mutex

func write(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

// Version is the version of a module in this binary.
func Version(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "?"
}
