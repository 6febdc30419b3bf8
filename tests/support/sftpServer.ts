import * as fs from "node:fs";
import { type Attributes, type SFTPWrapper, utils } from "ssh2";

const { STATUS_CODE: status, flagsToString } = utils.sftp;

/** Serves the part of SFTP that an upload needs, on the real file system: stat, mkdir, open for writing, write, close. */
export function serveSftp(sftp: SFTPWrapper): void {
  /** Answers with what `work` returns, or with the status of its error. */
  const answer = (id: number, work: () => Attributes | undefined) => {
    try {
      const attributes = work();
      if (attributes) sftp.attrs(id, attributes);
      else sftp.status(id, status.OK);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      sftp.status(id, missing ? status.NO_SUCH_FILE : status.FAILURE, (error as Error).message);
    }
  };
  const descriptor = (handle: Buffer) => handle.readUInt32BE(0);

  const stat = (id: number, path: string) => answer(id, () => attributes(fs.statSync(path)));
  sftp.on("end", () => sftp.end()); // the client waits until this side closes, too
  sftp.on("STAT", stat).on("LSTAT", stat);
  sftp.on("FSTAT", (id, handle) => answer(id, () => attributes(fs.fstatSync(descriptor(handle)))));
  sftp.on("MKDIR", (id, path) => answer(id, () => void fs.mkdirSync(path)));
  sftp.on("WRITE", (id, handle, offset, data) =>
    answer(id, () => void fs.writeSync(descriptor(handle), data, 0, data.length, offset)),
  );
  sftp.on("CLOSE", (id, handle) => answer(id, () => fs.closeSync(descriptor(handle)) as undefined));
  sftp.on("OPEN", (id, path, flags) => {
    try {
      const handle = Buffer.alloc(4);
      handle.writeUInt32BE(fs.openSync(path, flagsToString(flags) ?? "w"));
      sftp.handle(id, handle);
    } catch (error) {
      sftp.status(id, status.FAILURE, (error as Error).message);
    }
  });
}

function attributes(stats: fs.Stats): Attributes {
  const { mode, uid, gid, size } = stats;
  return { mode, uid, gid, size, atime: stats.atimeMs / 1000, mtime: stats.mtimeMs / 1000 };
}
