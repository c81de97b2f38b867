// A process that opens a data directory and holds it until it is told to stop: `node holding-process.ts <path>`. SIGTERM closes the
// directory cleanly.
import { systemRandom } from '../../../broker/base/random.ts'
import { openDataDirectory } from '../../../broker/storage/data-directory.ts'
import { nodeFiles } from '../../../broker/storage/files.ts'

const directory = await openDataDirectory(process.argv[2]!, { files: nodeFiles, random: systemRandom, nodeId: 1 })
const awake = setInterval(() => {}, 1_000_000)
process.on('SIGTERM', () => {
  clearInterval(awake)
  void directory.close(true)
})
process.stdout.write(`${directory.directoryId} ${directory.isCleanStart}\n`)
