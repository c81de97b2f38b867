package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"flotilla.test/clients/lines"
)

// member is the member of a group that this process is.
var member *groupMember

type groupMember struct {
	group   sarama.ConsumerGroup
	cancel  context.CancelFunc
	ended   chan struct{}
	session chan sarama.ConsumerGroupSession
}

// inGroup runs the commands of a member; false when the command is not one of them.
func inGroup(c *lines.Command) (lines.Fields, error, bool) {
	partition := map[string][]int32{c.Topic: {c.Partition}}
	switch c.Op {
	case "joinGroup":
		return lines.Fields{}, joinGroup(c), true
	case "commitOffsets":
		return lines.Fields{}, member.commit(c.Offsets), true
	case "pause":
		member.group.Pause(partition)
	case "resume":
		member.group.Resume(partition)
	case "leaveGroup":
		return lines.Fields{}, member.leave(), true
	default:
		return nil, nil, false
	}
	return lines.Fields{}, nil, true
}

func joinGroup(c *lines.Command) error {
	config := config()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{map[string]sarama.BalanceStrategy{
		"range": sarama.NewBalanceStrategyRange(), "roundrobin": sarama.NewBalanceStrategyRoundRobin(),
		"sticky": sarama.NewBalanceStrategySticky(), "cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky(),
	}[c.Assignor]}
	config.Consumer.Group.Session.Timeout = time.Duration(c.SessionTimeoutMs) * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = time.Duration(c.HeartbeatIntervalMs) * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Offsets.Initial = map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest}[c.Reset]
	if c.InstanceID != nil {
		config.Consumer.Group.InstanceId = *c.InstanceID
	}
	group, err := sarama.NewConsumerGroup([]string{c.Bootstrap}, c.Group, config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	member = &groupMember{group, cancel, make(chan struct{}), make(chan sarama.ConsumerGroupSession, 1)}
	go func() {
		for err := range group.Errors() {
			lines.ReportError(describe(err))
		}
	}()
	go member.consume(ctx, c.Topics)
	return nil
}

// consume joins again whenever the session has ended, as sarama wants it.
func (m *groupMember) consume(ctx context.Context, topics []string) {
	defer close(m.ended)
	for ctx.Err() == nil {
		err := m.group.Consume(ctx, topics, m)
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return
		}
		if err != nil && ctx.Err() == nil {
			lines.ReportError(describe(err))
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// commit commits with the session of the moment. What goes wrong is reported as an error event: sarama's Commit returns none.
func (m *groupMember) commit(offsets []lines.Offset) error {
	session := <-m.session
	m.session <- session
	for _, o := range offsets {
		// MarkOffset only moves forward, ResetOffset only back.
		session.MarkOffset(o.Topic, o.Partition, o.Offset, "")
		session.ResetOffset(o.Topic, o.Partition, o.Offset, "")
	}
	session.Commit()
	return nil
}

func (m *groupMember) leave() error {
	m.cancel()
	<-m.ended
	return m.group.Close()
}

func (m *groupMember) Setup(session sarama.ConsumerGroupSession) error {
	select {
	case <-m.session:
	default:
	}
	m.session <- session
	lines.Report("assigned", nil)
	return nil
}

func (m *groupMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim runs from when a partition is assigned until it is revoked.
func (m *groupMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := map[string][]int32{claim.Topic(): {claim.Partition()}}
	lines.Report("assigned", partition)
	defer lines.Report("revoked", partition)
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			at := lines.Offset{Topic: message.Topic, Partition: message.Partition, Offset: message.Offset}
			lines.ReportRecords(lines.GroupRecord{Offset: at, Value: message.Value})
		case <-session.Context().Done():
			return nil
		}
	}
}
