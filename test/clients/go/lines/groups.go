package lines

// Membership is what a member of a group is told when it joins.
type Membership struct {
	Group               string   `json:"group"`
	Topics              []string `json:"topics"`
	Assignor            string   `json:"assignor"`
	InstanceID          *string  `json:"instanceId"`
	Reset               string   `json:"reset"`
	SessionTimeoutMs    int      `json:"sessionTimeoutMs"`
	HeartbeatIntervalMs int      `json:"heartbeatIntervalMs"`
}

type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

type Offset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// GroupRecord is a record as the events of a member have it.
type GroupRecord struct {
	Offset
	Value []byte `json:"value"`
}

// Report writes an event of a member: partitions that are "assigned", "revoked" or "lost".
func Report(event string, partitions map[string][]int32) {
	list := []Partition{}
	for topic, ids := range partitions {
		for _, id := range ids {
			list = append(list, Partition{topic, id})
		}
	}
	write(Fields{"event": event, "partitions": list})
}

// ReportRecords writes the event of records that a member was given.
func ReportRecords(records ...GroupRecord) {
	if len(records) > 0 {
		write(Fields{"event": "records", "records": records})
	}
}

// ReportError writes the event of an error that belongs to no command.
func ReportError(err Error) {
	write(Fields{"event": "error", "error": err})
}
