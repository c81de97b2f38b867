// Takes rules out of a copy of the production files, one at a time, and walks with what is left: a model that finds nothing then
// would find nothing anyway. The copy runs in a process of its own. A text that has changed fails and wants a look at its line here.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Walked } from './explore.ts'

const STATE = 'broker/metadata/quorum/quorum-state.ts'
const CANDIDATE = 'broker/metadata/election/candidate.ts'
const MATCHING = 'broker/machine/log-matching.ts'

export type RemovedRule = {
  readonly rule: string
  readonly file: string
  /** In the file exactly once. */
  readonly text: string
  readonly without: string
}

const removed = (rule: string, file: string, text: string, without: string): RemovedRule => ({
  rule,
  file,
  text,
  without,
})

export const REMOVED_RULES: readonly RemovedRule[] = [
  removed(
    'A2: views only move forward (F5)',
    CANDIDATE,
    'view === null || record.version > view.version ? record : view',
    'record',
  ),
  removed(
    'A3: an epoch is on the disk before it is used (F4)',
    STATE,
    'state.view = view\n',
    'state.view = view\n  state.epoch = Math.max(state.epoch, view.epoch)\n',
  ),
  removed(
    'A4: only who is in sync takes over',
    CANDIDATE,
    'if (!record.inSync.includes(candidate.id) && !isBirth) return null\n',
    '',
  ),
  removed('A4: a takeover is a new epoch', CANDIDATE, 'epoch: record.epoch + 1', 'epoch: record.epoch'),
  removed(
    'A4: the old leader is out of sync (so that nobody waits for the dead)',
    CANDIDATE,
    'member !== record.leader && member',
    'member',
  ),
  removed(
    'A5: a restarted leader does not go on in its epoch (F1)',
    CANDIDATE,
    ' && record.incarnation === candidate.incarnation',
    '',
  ),
  removed(
    'A6: acknowledgements are of one epoch',
    STATE,
    'acknowledged: new Map(), additions',
    'acknowledged: kept, additions',
  ),
  removed('A8: a fetch acknowledges only what was flushed', STATE, ' || !log.isFlushed) return null', ') return null'),
  removed(
    'A9: only a log that fits is acknowledged',
    STATE,
    'const match = matchLogEnd(log, fetch.end)',
    "const match: Match = fetch.end.offset <= log.endOffset ? { kind: 'fits' } : matchLogEnd(log, fetch.end)",
  ),
  removed(
    'A9: another directory replaces what the old one acknowledged',
    MATCHING,
    'before === undefined || before.tag !== tag) known.set(id, { tag, offset })',
    'before === undefined || before.tag !== tag) known.set(id, { tag, offset: Math.max(offset, before?.offset ?? 0) })',
  ),
  removed('A10: an answer is for the log that asked (F6)', MATCHING, ' &&\n    isSameEnd(answered.end, end)\n', '\n'),
  removed(
    'A10: nothing is committed at a follower that it does not have',
    STATE,
    'Math.min(highWatermark, log.endOffset)',
    'highWatermark',
  ),
  removed(
    'A10: a follower cuts to the end of the leader',
    MATCHING,
    'Math.min(endOfEpoch(log, diverging.epoch).endOffset, diverging.endOffset)',
    'endOfEpoch(log, diverging.epoch).endOffset',
  ),
  removed(
    'A11: a leader counts what it has flushed itself',
    STATE,
    'log.flushedOffset, members',
    'log.endOffset, members',
  ),
  removed(
    'A11: everybody in sync is waited for',
    MATCHING,
    'if (member.id !== ownId) least =',
    'if (member.id !== ownId && member === members.at(-1)) least =',
  ),
  removed(
    'A12: a member counts until a record without it was read (F11)',
    STATE,
    'member === ownId(self) || !view.inSync.includes(member)) return null\n',
    'member === ownId(self) || !view.inSync.includes(member)) return null\n  state.view = { ...view, inSync: view.inSync.filter(id => id !== member) }\n',
  ),
  removed('A12: an addition counts before it is in the record (F2)', STATE, ', ...role.additions]', ']'),
  removed(
    'A12: an addition that was written over counts until that was read (F2)',
    STATE,
    'role.additions.length === 0) return null\n',
    'role.additions.length === 0) return null\n  role.additions = []\n',
  ),
  removed(
    'A12: who is added has what there was when the epoch began (F3)',
    MATCHING,
    'offset >= Math.max(highWatermark, epochStartOffset)',
    'offset >= highWatermark',
  ),
  removed(
    'A12: who is added has all that is committed',
    MATCHING,
    'offset >= Math.max(highWatermark, epochStartOffset)',
    'offset >= epochStartOffset',
  ),
]

const root = fileURLToPath(new URL('../..', import.meta.url))
const NEEDED = [
  'package.json',
  'broker/machine',
  'broker/metadata/election',
  'broker/metadata/quorum',
  'test/model',
  'test/seeded.ts',
]
const LEADER_EPOCHS = 'broker/storage/leader-epochs.ts'

/** What a walk finds when `rule` is not there. */
export async function walkWithout(
  { file, text, without }: RemovedRule,
  seed: number,
  maxSteps: number,
): Promise<Walked> {
  const directory = await mkdtemp(join(tmpdir(), 'removed-rule-'))
  try {
    for (const name of [...NEEDED, LEADER_EPOCHS])
      await cp(join(root, name), join(directory, name), { recursive: true })
    const source = await readFile(join(root, file), 'utf8')
    if (source.split(text).length !== 2) throw new Error(`${file} has this text not exactly once: ${text}`)
    const changed = source.replace(text, () => without)
    await writeFile(join(directory, file), changed + (without.includes('kept') ? KEPT : ''))
    const program = join(directory, 'test/model/main.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, `${seed}`, `${maxSteps}`])
    return JSON.parse(stdout) as Walked
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

// Of the whole process, and so of no epoch.
const KEPT = '\nconst kept: Acknowledgements<string> = new Map()\n'
