// The proof in one line: what the layers give when they are put together, measured against the picture.

const MOST_PIXELS = 24e6;

export function prove(node, stack, source) {
  node.classList.remove('exact');
  node.textContent = '';
  if (!source || stack.layers.some((layer) => !layer.blob)) return;
  if (stack.width * stack.height > MOST_PIXELS) {
    node.textContent = 'Too large to be put together and compared here.';
    return;
  }
  node.textContent = 'Putting the layers together and comparing…';
  const worker = new Worker(new URL('proof.js', import.meta.url), { type: 'module' });
  const end = (sentence, exact) => {
    worker.terminate();
    node.textContent = sentence;
    node.classList.toggle('exact', exact);
  };
  worker.onmessage = ({ data }) => end(...verdict(data));
  worker.onerror = () => end('', false);
  // As the job has them, however they are arranged now.
  worker.postMessage({ source, layers: stack.job.layers.map((facts) => stack.layer(facts.id).blob) });
}

function verdict({ mean, most, pixels, sizes, failed }) {
  if (failed) return ['The layers could not be compared with the picture here.', false];
  if (sizes) return [`The layers have ${sizes[0].join(' × ')} pixels, the picture ${sizes[1].join(' × ')}, so they are not compared.`, false];
  const count = pixels.toLocaleString('en');
  if (most === 0) return [`Put together again, the layers are the picture: not one of ${count} pixels differs.`, true];
  const average = mean < 0.005 ? 'less than 0.01' : mean.toFixed(2);
  return [`Put together again, the layers differ from the picture by ${average} of 255 on average and by ${Math.round(most)} at most, over ${count} pixels.`, most <= 1];
}
