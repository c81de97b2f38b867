// A small disk of its own for a test: an ext4 file system in a file, mounted through a loop device. Needs root and Linux; where that
// is missing it rejects and says so, because a test of full disks that skips itself tests nothing.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { newFolder } from './broker-process.ts'

export type SmallDisk = {
  readonly path: string
  freeBytes(): Promise<number>
  /** Something else takes room: all of it but `leaveBytes`. Called again, it takes or gives back the difference. */
  fill(leaveBytes: number): Promise<void>
  /** Gives back what `fill` took. */
  clear(): Promise<void>
  /** The file system finds itself broken and goes read-only, with files open for writing. */
  failToReadOnly(): void
  /** Unmounts, repairs, mounts again. Nobody may have files open. */
  repair(): void
  remove(): Promise<void>
}

const mounted = new Set<string>()
process.once('exit', () => {
  for (const path of mounted) run('umount', ['--lazy', path])
})

export async function smallDisk(sizeMib: number): Promise<SmallDisk> {
  const folder = await newFolder('disk')
  const image = join(folder, 'image')
  const path = join(folder, 'mounted')
  mkdirSync(path)
  await writeFile(image, '')
  await truncate(image, sizeMib * 1024 * 1024)
  try {
    // Without a share of the file system that only root may use: the broker here is root.
    run('mkfs.ext4', ['-q', '-m', '0', image])
    mount(image, path)
  } catch (cause) {
    throw new Error('this test needs a file system of its own: root, mkfs.ext4, and leave to mount a loop device', {
      cause,
    })
  }
  const ballast = join(path, 'ballast')
  let ballastBytes = 0
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  }
  return {
    path,
    freeBytes,
    async fill(leaveBytes) {
      const bytes = ballastBytes + (await freeBytes()) - leaveBytes
      if (bytes < ballastBytes) await truncate(ballast, Math.max(0, bytes))
      // Fails, having taken what there was, when somebody else was faster.
      else if (bytes > ballastBytes) allocate(ballast, bytes)
      ballastBytes = Math.max(0, bytes)
    },
    async clear() {
      await rm(ballast, { force: true })
      ballastBytes = 0
    },
    failToReadOnly() {
      const device = run('findmnt', ['-no', 'SOURCE', path]).trim()
      writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'test')
    },
    repair() {
      run('umount', [path])
      // Exit code 1: errors were corrected.
      run('sh', ['-c', `e2fsck -fy '${image}' || [ $? -eq 1 ]`])
      run('mount', ['-o', 'loop,errors=remount-ro', image, path])
    },
    async remove() {
      run('umount', ['--lazy', path])
      mounted.delete(path)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function mount(image: string, path: string): void {
  run('mount', ['-o', 'loop,errors=remount-ro', image, path])
  mounted.add(path)
}

function allocate(file: string, bytes: number): void {
  try {
    run('fallocate', ['-l', String(bytes), file])
  } catch (error) {
    if (!String((error as { stderr?: unknown }).stderr).includes('No space left')) throw error
  }
}

function run(name: string, args: readonly string[]): string {
  return execFileSync(name, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
}
