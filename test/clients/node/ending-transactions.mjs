// How the Node programs end transactions and close their producers. `open`: by name, what a program has of each producer: `made`, the
// client's producer, and its `transaction`.
export function endingCommands(open, close) {
  return {
    async endTransaction({ producer, commit }) {
      const { transaction } = open.get(producer)
      await (commit ? transaction.commit() : transaction.abort())
      return {}
    },

    async closeTransactional({ producer }) {
      const { made } = open.get(producer)
      open.delete(producer)
      await close(made)
      return {}
    },
  }
}
