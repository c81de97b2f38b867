// The commands of @platformatic/kafka that are about transactions; platformatic.mjs reads them.
import { endingCommands } from './ending-transactions.mjs'
import { decode } from './lines.mjs'

export function transactionCommands(Producer, connection, acks) {
  const open = new Map()
  return {
    async openTransactional(command) {
      const { producer, transactionalId } = command
      const made = new Producer({ ...connection(command), idempotent: true, transactionalId })
      open.set(producer, { made, transaction: null })
      return {}
    },

    async beginTransaction({ producer }) {
      const entry = open.get(producer)
      entry.transaction = await entry.made.beginTransaction()
      return {}
    },

    async sendInTransaction({ producer, topic, partition, records }) {
      const messages = records.map(({ key, value }) => ({ topic, partition, key: decode(key), value: decode(value) }))
      const sent = await open.get(producer).transaction.send({ messages, acks: acks.all })
      return { offsets: messages.map((_, index) => Number(sent.offsets[0].offset) + index) }
    },

    ...endingCommands(open, made => made.close()),
  }
}
