import { failure } from "./errors";

interface OpenFile {
  readonly path: string;
  content: Buffer;
  offset: number;
}

/** The files of a simulated guest, as its agent opens, reads and writes them. */
export class SimulatedFiles {
  private readonly written = new Map<string, Buffer>();
  private readonly handles = new Map<number, OpenFile>();
  private nextHandle = 1000;

  /** @param given content of a file that nobody has written; undefined if there is no such file. */
  open(path: string, mode: string, given: string | undefined): number {
    const content = this.written.get(path) ?? (given === undefined ? undefined : Buffer.from(given));
    if (mode.startsWith("w")) this.written.set(path, Buffer.alloc(0));
    else if (!content) throw failure(`Agent error: failed to open file '${path}': No such file or directory`);
    const handle = this.nextHandle++;
    this.handles.set(handle, { path, content: this.written.get(path) ?? content!, offset: 0 });
    return handle;
  }

  seek(handle: number, offset: number): unknown {
    this.file(handle).offset = offset;
    return { position: offset, eof: false };
  }

  read(handle: number, count: number): unknown {
    const file = this.file(handle);
    const part = file.content.subarray(file.offset, file.offset + count);
    file.offset += part.length;
    return { count: part.length, eof: part.length < count, "buf-b64": part.toString("base64") };
  }

  write(handle: number, data: string): unknown {
    const file = this.file(handle);
    const part = Buffer.from(data, "base64");
    file.content = Buffer.concat([file.content, part]);
    this.written.set(file.path, file.content);
    return { count: part.length, eof: false };
  }

  close(handle: number): unknown {
    this.file(handle);
    this.handles.delete(handle);
    return {};
  }

  private file(handle: number): OpenFile {
    const file = this.handles.get(handle);
    if (!file) throw failure(`Agent error: handle '${handle}' has not been found`);
    return file;
  }
}
