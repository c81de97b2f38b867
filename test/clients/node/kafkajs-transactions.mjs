// The commands of kafkajs that are about transactions; kafkajs.mjs reads them.
import { endingCommands } from './ending-transactions.mjs'
import { decode } from './lines.mjs'

/** `connect` makes a client for a bootstrap address. */
export function transactionCommands(connect, retry) {
  const open = new Map()
  return {
    async openTransactional({ bootstrap, producer, transactionalId, timeoutMs }) {
      const made = connect(bootstrap).producer({
        // One partition at a time is written to.
        createPartitioner: () => () => open.get(producer).partition,
        transactionalId,
        transactionTimeout: timeoutMs,
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        retry,
      })
      await made.connect()
      open.set(producer, { made, transaction: null, partition: 0 })
      return {}
    },

    async beginTransaction({ producer }) {
      const entry = open.get(producer)
      entry.transaction = await entry.made.transaction()
      return {}
    },

    async sendInTransaction({ producer, topic, partition, records }) {
      const entry = open.get(producer)
      entry.partition = partition
      const messages = records.map(({ key, value }) => ({ key: decode(key), value: decode(value) }))
      const [sent] = await entry.transaction.send({ topic, messages })
      return { offsets: messages.map((_, index) => Number(sent.baseOffset) + index) }
    },

    ...endingCommands(open, made => made.disconnect()),
  }
}
