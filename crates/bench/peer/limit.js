/** Runs at most `most` of the functions it is given at once; the others wait in order. */
export function limit(most) {
  const waiting = [];
  let running = 0;
  return async (run) => {
    if (running >= most) await new Promise((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await run();
    } finally {
      // The place goes to whoever waits, else it is free.
      if (waiting.length > 0) waiting.shift()();
      else running -= 1;
    }
  };
}
