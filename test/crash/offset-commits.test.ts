// The whole broker, killed with SIGKILL again and again on the same data directory while clients commit offsets: from outside of their group,
// as its member, in transactions; groups and offsets are deleted, and the log is compacted under all of it. After every
// restart the offsets are those of some first part of what was sent, with everything that was acknowledged, and memberships go on.
// FLOTILLA_CRASHES sets how often (default 60), FLOTILLA_SEED the moments.
import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { ask, createTopic } from '../../bench/peers/admin.ts'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { FindCoordinator } from '../../broker/protocol/messages/find-coordinator.ts'
import { seededNumbers } from '../seeded.ts'
import { newFolder, type BrokerProcess } from './broker-process.ts'
import { fetchOffsets, LonerLoad, MemberLoad, TransactionalLoad, type OffsetLoad } from './offset-load.ts'
import { cleanUpAfterTests, startBroker } from './operations.ts'

const crashes = Number(process.env.FLOTILLA_CRASHES ?? 60)
const seed = Number(process.env.FLOTILLA_SEED ?? Date.now() % 1_000_000)
const TOPIC = 'orders'
const PARTITIONS = 6
const SETTINGS = {
  'offsets.topic.num.partitions': '2',
  'transaction.state.log.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '0',
  // Small segments that are compacted all the time, tombstones and all.
  'offsets.topic.segment.bytes': '1048576',
  'log.cleaner.backoff.ms': '200',
  'log.cleaner.min.cleanable.ratio': '0.1',
  'log.cleaner.delete.retention.ms': '500',
}

cleanUpAfterTests()

test(`what was acknowledged of offsets and groups holds over ${crashes} kills (seed ${seed})`, async () => {
  const next = seededNumbers(seed)
  const dataDir = await newFolder('offsets')
  const loads = loadsWith(next)
  let broker = await startBroker(dataDir, SETTINGS)
  await createTopic(broker, TOPIC, PARTITIONS)
  for (const keyType of [0, 1]) {
    const { coordinators } = await ask(broker, FindCoordinator, 4, { keyType, coordinatorKeys: ['x'] })
    equal(coordinators[0]!.errorCode, 0)
  }
  for (let crash = 0; crash < crashes; crash++) {
    let left = 1 + Math.floor(next() * 400)
    const running = broker
    await new Promise<void>((resolve, reject) => {
      const onAcknowledged = (): void => {
        if (--left !== 0) return
        // Half of the kills are a little later, while the log commits what comes next.
        setTimeout(() => void running.kill().then(resolve), next() < 0.5 ? 0 : next() * 8)
      }
      Promise.all(loads.map(load => load.runUntilLost(running, onAcknowledged))).catch(reject)
    })
    broker = await startBroker(dataDir, SETTINGS)
    await verify(broker, loads)
  }
  await broker.stop()
  broker = await startBroker(dataDir, SETTINGS)
  await verify(broker, loads)
  await broker.stop()
  const acknowledged = loads.reduce((sum, load) => sum + load.acknowledged, 0)
  ok(acknowledged > crashes * 50, `the load was a load: ${acknowledged} changes were acknowledged`)
})

function loadsWith(next: () => number): OffsetLoad[] {
  const optionsOf = (groupId: string) => ({ groupId, topic: TOPIC, partitions: PARTITIONS, next })
  return [
    ...[1, 2, 3, 4].map(number => new LonerLoad(optionsOf(`loner-${number}`))),
    ...[1, 2, 3].map(number => new MemberLoad(optionsOf(`member-${number}`))),
    ...[1, 2].map(number => new TransactionalLoad(optionsOf(`transactional-${number}`), number === 1)),
  ]
}

/** Asks at once, for the coordinator may still be loading. */
async function verify(broker: BrokerProcess, loads: readonly OffsetLoad[]): Promise<void> {
  await Promise.all(
    loads.map(async load => {
      const connection = await BrokerConnection.open(tcpTransport, broker, 'verify')
      await load.settle(connection)
      load.history.verify(await fetchOffsets(connection, load.groupId))
      connection.close()
    }),
  )
}
