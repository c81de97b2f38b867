// The commands of @platformatic/kafka that are about transactions; platformatic.mjs reads them.
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

    async endTransaction({ producer, commit }) {
      const { transaction } = open.get(producer)
      await (commit ? transaction.commit() : transaction.abort())
      return {}
    },

    async closeTransactional({ producer }) {
      const { made } = open.get(producer)
      open.delete(producer)
      await made.close()
      return {}
    },
  }
}
