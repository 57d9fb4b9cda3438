// SPDX-License-Identifier: MIT
// What a user of the official JavaScript SDK does every day, against the server of
// E2B_API_URL.  Prints a line for each named check; fails if one of them does.
// checks.mjs [WORD...] runs only the checks whose names contain a word.
import assert from 'node:assert/strict'
import * as e2b from 'e2b'

const { Sandbox } = e2b
const checks = []
const check = (name, run) => checks.push({ name, run })

async function until(condition, seconds = 20) {
  const end = Date.now() + seconds * 1000
  while (!(await condition())) {
    assert.ok(Date.now() < end, 'waited in vain')
    await new Promise((done) => setTimeout(done, 20))
  }
}

// --- life cycle

check('create: the object knows its id and that it runs', async (sbx) => {
  assert.ok(sbx.sandboxId)
  assert.equal(await sbx.isRunning(), true)
})

check('create: metadata, env vars, timeout arrive', async () => {
  const other = await Sandbox.create({ timeoutMs: 120000, metadata: { 'a b': 'ü&=' }, envs: { WHO: 'me' } })
  const info = await other.getInfo()
  assert.deepEqual(info.metadata, { 'a b': 'ü&=' })
  assert.ok(Math.abs(info.endAt - info.startedAt - 120000) < 20000)
  assert.equal((await other.commands.run('echo $WHO')).stdout, 'me\n')
  await other.kill()
})

check('setTimeout moves the end', async (sbx) => {
  await sbx.setTimeout(1000000)
  assert.ok(Math.abs((await sbx.getInfo()).endAt - Date.now() - 1000000) < 100000)
})

check('list: pages of one, by metadata, all found', async () => {
  const others = []
  for (let i = 0; i < 3; i++) others.push(await Sandbox.create({ metadata: { 'p&': 'ü %' } }))
  const pages = Sandbox.list({ query: { metadata: { 'p&': 'ü %' }, state: ['running'] }, limit: 1 })
  const seen = []
  while (pages.hasNext) seen.push(...(await pages.nextItems()).map((s) => s.sandboxId))
  assert.deepEqual(seen.sort(), others.map((s) => s.sandboxId).sort())
  for (const s of others) await s.kill()
})

check('connect: by id, to the same files', async (sbx) => {
  await sbx.files.write('shared', 'x')
  assert.equal(await (await Sandbox.connect(sbx.sandboxId)).files.read('shared'), 'x')
})

check('pause and connect: files and processes stay', async () => {
  const other = await Sandbox.create()
  await other.files.write('kept', 'here')
  const handle = await other.commands.run('sleep 1000', { background: true })
  await other.pause()
  assert.equal((await other.getInfo()).state, 'paused')
  const again = await other.connect()
  assert.equal(await again.files.read('kept'), 'here')
  assert.ok((await again.commands.list()).some((p) => p.pid === handle.pid))
  await again.kill()
})

check('kill: true, then false; not running afterwards', async () => {
  const other = await Sandbox.create()
  assert.equal(await other.kill(), true)
  assert.equal(await other.isRunning(), false)
  assert.equal(await Sandbox.kill(other.sandboxId), false)
})

check('getMetrics: a list of samples', async (sbx) => {
  await until(async () => (await sbx.getMetrics()).length > 0)
  const sample = (await sbx.getMetrics()).at(-1)
  assert.ok(sample.cpuCount > 0 && sample.memTotal > 0 && sample.timestamp)
})

check('errors: unknown sandbox, wrong key', async () => {
  const id = 'i' + '0'.repeat(19)
  await assert.rejects(Sandbox.connect(id), e2b.SandboxNotFoundError)
  await assert.rejects(Sandbox.getInfo(id), e2b.SandboxNotFoundError)
  await assert.rejects(Sandbox.create({ apiKey: 'e2b_' + '0'.repeat(40) }), e2b.AuthenticationError)
})

check('errors: the files and commands of a dead sandbox', async () => {
  const other = await Sandbox.create()
  await other.kill()
  await assert.rejects(other.files.read('x'), e2b.SandboxError)
  await assert.rejects(other.commands.run('true'), e2b.SandboxError)
})

// --- files

check('files: text, bytes, blob, stream; there and back', async (sbx) => {
  const info = await sbx.files.write('a/b/text', 'grüße\n')
  assert.equal(info.path, '/home/user/a/b/text')
  assert.equal(await sbx.files.read('a/b/text'), 'grüße\n')
  const bytes = new Uint8Array(300000).map((_, i) => i % 251)
  await sbx.files.write('bytes', bytes.buffer)
  assert.deepEqual(await sbx.files.read('bytes', { format: 'bytes' }), bytes)
  assert.equal((await sbx.files.read('bytes', { format: 'blob' })).size, bytes.length)
  let size = 0
  for await (const piece of await sbx.files.read('bytes', { format: 'stream' })) size += piece.length
  assert.equal(size, bytes.length)
})

check('files: empty, and names that are odd', async (sbx) => {
  const names = ['empty', 'a b', 'ü+%41&=?#', '-rf', '\'"\\']
  for (const name of names) {
    await sbx.files.write(`odd/${name}`, '')
    assert.equal(await sbx.files.read(`odd/${name}`), '', name)
    assert.equal(await sbx.files.exists(`odd/${name}`), true, name)
  }
  assert.equal((await sbx.files.list('odd')).length, names.length)
})

check('files: several in one write', async (sbx) => {
  const infos = await sbx.files.write([{ path: 'many/1', data: 'one' }, { path: 'many/2', data: 'two' }])
  assert.deepEqual(infos.map((i) => i.path), ['/home/user/many/1', '/home/user/many/2'])
  assert.equal(await sbx.files.read('many/2'), 'two')
})

check('files: list with types and depth', async (sbx) => {
  await sbx.files.makeDir('tree/x/y')
  await sbx.files.write('tree/f', '1')
  assert.deepEqual((await sbx.files.list('tree')).map((e) => [e.name, e.type]), [['f', 'file'], ['x', 'dir']])
  assert.equal((await sbx.files.list('tree', { depth: 2 })).length, 3)
})

check('files: getInfo, makeDir twice, rename, remove', async (sbx) => {
  assert.equal(await sbx.files.makeDir('dir'), true)
  assert.equal(await sbx.files.makeDir('dir'), false)
  await sbx.files.write('dir/one', '12345')
  const info = await sbx.files.getInfo('dir/one')
  assert.equal(info.size, 5)
  assert.equal(info.permissions, '-rw-r--r--')
  assert.equal((await sbx.files.rename('dir/one', 'dir/two')).path, '/home/user/dir/two')
  assert.equal(await sbx.files.exists('dir/one'), false)
  await sbx.files.remove('dir')
  assert.equal(await sbx.files.exists('dir'), false)
})

check('files: errors', async (sbx) => {
  await assert.rejects(sbx.files.read('nothing'), e2b.FileNotFoundError)
  await assert.rejects(sbx.files.list('nothing'), e2b.FileNotFoundError)
  await assert.rejects(sbx.files.rename('nothing', 'other'), e2b.FileNotFoundError)
  await assert.rejects(sbx.files.read('/tmp'), e2b.InvalidArgumentError)
  await assert.rejects(sbx.files.list('/', { user: 'nobodyknows' }), e2b.AuthenticationError)
  await assert.rejects(sbx.files.watchDir('nothing', () => {}), e2b.FileNotFoundError)
})

check('files: watchDir, recursive and not', async (sbx) => {
  await sbx.files.makeDir('watched/deep')
  const flat = []
  const all = []
  const one = await sbx.files.watchDir('watched', (e) => flat.push(`${e.type} ${e.name}`))
  const two = await sbx.files.watchDir('watched', (e) => all.push(`${e.type} ${e.name}`), { recursive: true })
  await sbx.files.write('watched/deep/f', 'x')
  await sbx.files.write('watched/f', 'x')
  await sbx.files.remove('watched/f')
  await until(() => flat.includes('remove f') && all.includes('write deep/f') && all.includes('remove f'))
  assert.ok(!flat.some((e) => e.includes('deep/f')))
  await one.stop()
  await two.stop()
})

// --- commands

check('commands: output, error output, status', async (sbx) => {
  const result = await sbx.commands.run('echo out; echo err >&2')
  assert.deepEqual([result.stdout, result.stderr, result.exitCode], ['out\n', 'err\n', 0])
  await assert.rejects(sbx.commands.run('exit 7'), (e) => e instanceof e2b.CommandExitError && e.exitCode === 7)
})

check('commands: env, cwd, user', async (sbx) => {
  const run = async (command, options) => (await sbx.commands.run(command, options)).stdout.trim()
  assert.equal(await run('echo $X', { envs: { X: 'ü x' } }), 'ü x')
  assert.equal(await run('pwd', { cwd: '/tmp' }), '/tmp')
  assert.equal(await run('whoami', { user: 'root' }), 'root')
})

check('commands: output as it comes, and 5 MB of it', async (sbx) => {
  let out = ''
  await sbx.commands.run('for i in 1 2 3; do echo $i; done', { onStdout: (s) => { out += s } })
  assert.equal(out, '1\n2\n3\n')
  assert.equal((await sbx.commands.run("head -c 5000000 /dev/zero | tr '\\0' x")).stdout.length, 5000000)
})

check('commands: background, stdin, list, connect', async (sbx) => {
  const handle = await sbx.commands.run('read x; echo got $x', { background: true, stdin: true })
  assert.ok((await sbx.commands.list()).some((p) => p.pid === handle.pid))
  const again = await sbx.commands.connect(handle.pid)
  await sbx.commands.sendStdin(handle.pid, 'it\n')
  assert.equal((await again.wait()).stdout, 'got it\n')
  assert.equal((await handle.wait()).stdout, 'got it\n')
  const cat = await sbx.commands.run('cat', { background: true, stdin: true })
  await sbx.commands.sendStdin(cat.pid, 'to the end')
  await sbx.commands.closeStdin(cat.pid)
  assert.equal((await cat.wait()).stdout, 'to the end')
})

check('commands: kill, time limit', async (sbx) => {
  const handle = await sbx.commands.run('sleep 1000', { background: true })
  assert.equal(await handle.kill(), true)
  await assert.rejects(handle.wait(), e2b.CommandExitError)
  assert.equal(await sbx.commands.kill(999999), false)
  await assert.rejects(sbx.commands.run('sleep 30', { timeoutMs: 1000 }), e2b.TimeoutError)
})

// --- terminals

check('pty: a shell, its size, resize, the end', async (sbx) => {
  let out = ''
  const decoder = new TextDecoder()
  const handle = await sbx.pty.create({ rows: 30, cols: 100, onData: (d) => { out += decoder.decode(d) } })
  const type = (text) => sbx.pty.sendInput(handle.pid, new TextEncoder().encode(text))
  await type('stty size\n')
  await until(() => out.includes('30 100'))
  await sbx.pty.resize(handle.pid, { rows: 50, cols: 120 })
  await type('stty size; exit\n')
  await handle.wait()
  assert.ok(out.includes('50 120'))
})

const words = process.argv.slice(2)
const chosen = checks.filter((c) => !words.length || words.some((w) => c.name.includes(w)))
let failed = 0
console.log(`1..${chosen.length}`)
for (const [i, { name, run }] of chosen.entries()) {
  const sbx = await Sandbox.create({ timeoutMs: 600000 })
  try {
    await run(sbx)
    console.log(`ok ${i + 1} js: ${name}`)
  } catch (e) {
    failed++
    console.log(`not ok ${i + 1} js: ${name}\n${String(e.stack).replace(/^/gm, '# ')}`)
  }
  await sbx.kill()
}
process.exit(failed ? 1 : 0)
