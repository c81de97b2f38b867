package main

import (
	"context"
	"encoding/binary"
	"sort"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const topic = "__consumer_offsets"

type position struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

type committed struct {
	position
	Offset   int64  `json:"offset"`
	Metadata string `json:"metadata"`
}

// view is what a reader of the topic knows.
type view struct {
	offsets map[position]committed
	groups  []fields
	records int
}

func read(ctx context.Context, adm *kadm.Client, bootstrap string, isCommitted bool) (fields, error) {
	list, isolation := adm.ListEndOffsets, kgo.ReadUncommitted()
	if isCommitted {
		list, isolation = adm.ListCommittedOffsets, kgo.ReadCommitted()
	}
	ends, err := list(ctx, topic)
	if err != nil {
		return nil, err
	}
	starts := map[int32]kgo.Offset{}
	for partition, end := range ends[topic] {
		if end.Offset > 0 {
			starts[partition] = kgo.NewOffset().AtStart()
		}
	}
	seen := &view{offsets: map[position]committed{}, groups: []fields{}}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.FetchIsolationLevel(isolation), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}),
		// The end of a partition may be a marker.
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for len(starts) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= ends[topic][r.Partition].Offset {
				return
			}
			if r.Offset == ends[topic][r.Partition].Offset-1 {
				delete(starts, r.Partition)
			}
			if err := seen.apply(r); err != nil {
				failed = err
			}
		})
		if failed != nil {
			return nil, failed
		}
	}
	return seen.result(), nil
}

func (v *view) apply(r *kgo.Record) error {
	if r.Attrs.IsControl() {
		return nil
	}
	v.records++
	switch version := int16(binary.BigEndian.Uint16(r.Key)); version {
	case 0, 1:
		return v.applyOffset(r)
	case 2:
		return v.applyGroup(r)
	}
	return nil
}

func (v *view) applyOffset(r *kgo.Record) error {
	key := kmsg.NewOffsetCommitKey()
	if err := key.ReadFrom(r.Key); err != nil {
		return err
	}
	at := position{key.Group, key.Topic, key.Partition}
	if r.Value == nil {
		delete(v.offsets, at)
		return nil
	}
	value := kmsg.NewOffsetCommitValue()
	if err := value.ReadFrom(r.Value); err != nil {
		return err
	}
	v.offsets[at] = committed{at, value.Offset, value.Metadata}
	return nil
}

// Every change of a group, in order.
func (v *view) applyGroup(r *kgo.Record) error {
	key := kmsg.NewGroupMetadataKey()
	if err := key.ReadFrom(r.Key); err != nil {
		return err
	}
	if r.Value == nil {
		v.groups = append(v.groups, fields{"group": key.Group, "isDeleted": true})
		return nil
	}
	value := kmsg.NewGroupMetadataValue()
	if err := value.ReadFrom(r.Value); err != nil {
		return err
	}
	members := []fields{}
	for _, member := range value.Members {
		subscription, assignment := kmsg.NewConsumerMemberMetadata(), kmsg.NewConsumerMemberAssignment()
		if err := subscription.ReadFrom(member.Subscription); err != nil {
			return err
		}
		if err := assignment.ReadFrom(member.Assignment); err != nil {
			return err
		}
		assigned := map[string][]int32{}
		for _, t := range assignment.Topics {
			assigned[t.Topic] = t.Partitions
		}
		members = append(members, fields{"clientId": member.ClientID, "topics": subscription.Topics, "assigned": assigned})
	}
	v.groups = append(v.groups, fields{"group": key.Group, "isDeleted": false, "generation": value.Generation, "members": members})
	return nil
}

func (v *view) result() fields {
	offsets := []committed{}
	for _, offset := range v.offsets {
		offsets = append(offsets, offset)
	}
	sort.Slice(offsets, func(i, j int) bool {
		a, b := offsets[i], offsets[j]
		return a.Topic < b.Topic || a.Topic == b.Topic && a.Partition < b.Partition
	})
	return fields{"offsets": offsets, "groups": v.groups, "records": v.records}
}
