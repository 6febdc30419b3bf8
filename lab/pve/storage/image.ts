import * as fs from "node:fs";

const mebibyte = 1024 ** 2;

/** Size of the disk that an image holds: a qcow2 file's header states it, any other file is the disk itself. */
export function imageBytes(file: string): number {
  const header = Buffer.alloc(32);
  const handle = fs.openSync(file, "r");
  try {
    fs.readSync(handle, header, 0, header.length, 0);
  } finally {
    fs.closeSync(handle);
  }
  const isQcow2 = header.toString("latin1", 0, 4) === "QFI\xfb";
  const bytes = isQcow2 ? Number(header.readBigUInt64BE(24)) : fs.statSync(file).size;
  return Math.max(mebibyte, Math.ceil(bytes / mebibyte) * mebibyte);
}
