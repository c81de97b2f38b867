import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { tcpTransport, type Socket } from '../../../broker/base/transport.ts'
import { BrokerConnection, ConnectionLost } from '../../../broker/client/connection.ts'
import { FrameReader } from '../../../broker/protocol/frame.ts'
import { encodeResponse, readRequestHeader } from '../../../broker/protocol/header.ts'
import { ListOffsets } from '../../../broker/protocol/messages/list-offsets.ts'

type Received = { socket: Socket; correlationId: number }

/** A listener that hands each request's socket and correlation id to `onRequest`. */
async function brokerThat(onRequest: (received: Received) => void) {
  const listening = await tcpTransport.listen({ host: '127.0.0.1', port: 0 }, socket => {
    const reader = new FrameReader(8, 1e6, frame => {
      onRequest({ socket, correlationId: readRequestHeader(frame, () => ListOffsets).correlationId })
    })
    socket.start({ data: chunk => reader.push(chunk), drain: () => {}, close: () => {} })
  })
  const connection = await BrokerConnection.open(tcpTransport, listening, 'test')
  return { connection, close: () => (connection.close(), listening.close()) }
}

const body = { replicaId: -1, isolationLevel: 0, topics: [] }
const answer = (correlationId: number, throttleTimeMs: number) =>
  encodeResponse(ListOffsets, 5, correlationId, { throttleTimeMs, topics: [] })

test('requests are pipelined and each gets its own answer', async () => {
  const waiting: Received[] = []
  const { connection, close } = await brokerThat(received => {
    waiting.push(received)
    if (waiting.length < 3) return
    waiting.forEach(({ socket, correlationId }, i) => socket.write(answer(correlationId, i)))
  })
  const answers = await Promise.all([1, 2, 3].map(() => connection.request(ListOffsets, 5, body)))
  deepEqual(
    answers.map(({ throttleTimeMs }) => throttleTimeMs),
    [0, 1, 2],
  )
  await close()
})

test('a connection that ends rejects what is asked and what will be asked', async () => {
  const { connection, close } = await brokerThat(({ socket }) => socket.destroy())
  await rejects(connection.request(ListOffsets, 5, body), ConnectionLost)
  equal(connection.isLost, true)
  await rejects(connection.request(ListOffsets, 5, body), ConnectionLost)
  await close()
})

test('an answer with a foreign correlation id, or that does not decode, ends the connection', async () => {
  for (const chunks of [answer(77, 0), [Buffer.from([0, 0, 0, 5, 0, 0, 0, 0, 9])], [Buffer.from([0x80, 0, 0, 0])]]) {
    const { connection, close } = await brokerThat(({ socket }) => socket.write(chunks))
    await rejects(connection.request(ListOffsets, 5, body))
    equal(connection.isLost, true)
    await close()
  }
})

test('nobody listens: the system error comes through', async () => {
  const listening = await tcpTransport.listen({ host: '127.0.0.1', port: 0 }, () => {})
  await listening.close()
  await rejects(BrokerConnection.open(tcpTransport, listening, 'test'), { code: 'ECONNREFUSED' })
})
