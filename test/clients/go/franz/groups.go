package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flotilla.test/clients/lines"
)

// member is the member of a group that this process is.
var member *kgo.Client

// inGroup runs the commands of a member; false when the command is not one of them.
func inGroup(ctx context.Context, c *lines.Command) (lines.Fields, error, bool) {
	partition := map[string][]int32{c.Topic: {c.Partition}}
	switch c.Op {
	case "joinGroup":
		return lines.Fields{}, joinGroup(c), true
	case "commitOffsets":
		return lines.Fields{}, commitOffsets(ctx, c.Offsets), true
	case "seek":
		member.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.Topic: {c.Partition: {Epoch: -1, Offset: c.Offset}}})
	case "pause":
		member.PauseFetchPartitions(partition)
	case "resume":
		member.ResumeFetchPartitions(partition)
	case "leaveGroup":
		member.CloseAllowingRebalance()
	default:
		return nil, nil, false
	}
	return lines.Fields{}, nil, true
}

func joinGroup(c *lines.Command) error {
	report := func(event string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { lines.Report(event, partitions) }
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Bootstrap), kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(c.Topics...), kgo.DisableAutoCommit(),
		kgo.Balancers(map[string]kgo.GroupBalancer{
			"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
			"cooperative-sticky": kgo.CooperativeStickyBalancer(),
		}[c.Assignor]),
		kgo.ConsumeResetOffset(map[string]kgo.Offset{
			"earliest": kgo.NewOffset().AtStart(), "latest": kgo.NewOffset().AtEnd(), "none": kgo.NewOffset().AtCommitted(),
		}[c.Reset]),
		kgo.SessionTimeout(time.Duration(c.SessionTimeoutMs) * time.Millisecond),
		kgo.HeartbeatInterval(time.Duration(c.HeartbeatIntervalMs) * time.Millisecond),
		kgo.OnPartitionsAssigned(report("assigned")), kgo.OnPartitionsRevoked(report("revoked")), kgo.OnPartitionsLost(report("lost")),
		// So that no record is reported after its partition has been taken away.
		kgo.BlockRebalanceOnPoll(),
	}
	if c.InstanceID != nil {
		options = append(options, kgo.InstanceID(*c.InstanceID))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	member = client
	go poll(client)
	return nil
}

func poll(client *kgo.Client) {
	for {
		fetches := client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) { lines.ReportError(describe(err)) })
		records := []lines.GroupRecord{}
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, lines.GroupRecord{Offset: lines.Offset{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, Value: r.Value})
		})
		lines.ReportRecords(records...)
		client.AllowRebalance()
	}
}

func commitOffsets(ctx context.Context, offsets []lines.Offset) error {
	commit := map[string]map[int32]kgo.EpochOffset{}
	for _, o := range offsets {
		if commit[o.Topic] == nil {
			commit[o.Topic] = map[int32]kgo.EpochOffset{}
		}
		commit[o.Topic][o.Partition] = kgo.EpochOffset{Epoch: -1, Offset: o.Offset}
	}
	var outcome error
	member.CommitOffsetsSync(ctx, commit, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		outcome = err
		if err != nil {
			return
		}
		for _, topic := range response.Topics {
			for _, partition := range topic.Partitions {
				outcome = errors.Join(outcome, kerr.ErrorForCode(partition.ErrorCode))
			}
		}
	})
	return outcome
}

// administerGroup runs the commands about groups of an administrator; false when the command is not one of them.
func administerGroup(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error, bool) {
	switch c.Op {
	case "groupOffsets":
		fetched, err := adm.FetchOffsets(ctx, c.Group)
		offsets := []lines.Offset{}
		for _, o := range fetched.Sorted() {
			offsets = append(offsets, lines.Offset{Topic: o.Topic, Partition: o.Partition, Offset: o.At})
		}
		return lines.Fields{"offsets": offsets}, errors.Join(err, fetched.Error()), true
	case "describeGroup":
		fields, err := describeGroup(ctx, adm, c.Group)
		return fields, err, true
	case "deleteGroup":
		response, err := adm.DeleteGroup(ctx, c.Group)
		return lines.Fields{}, errors.Join(err, response.Err), true
	}
	return nil, nil, false
}

func describeGroup(ctx context.Context, adm *kadm.Client, name string) (lines.Fields, error) {
	groups, err := adm.DescribeGroups(ctx, name)
	if err != nil {
		return nil, err
	}
	group := groups[name]
	members := []lines.Fields{}
	for _, m := range group.Members {
		partitions := 0
		if assignment, ok := m.Assigned.AsConsumer(); ok {
			for _, topic := range assignment.Topics {
				partitions += len(topic.Partitions)
			}
		}
		members = append(members, lines.Fields{"memberId": m.MemberID, "instanceId": m.InstanceID, "partitions": partitions})
	}
	return lines.Fields{"state": group.State, "protocol": group.Protocol, "members": members}, group.Err
}
