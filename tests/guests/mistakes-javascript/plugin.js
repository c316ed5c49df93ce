// Does what its setting `act` says: one of the mistakes that an author of plugins makes.

import * as weir from './.weir/weir.js';

const acts = {
  mistake: (message) => message.valeu.length,
  nothing: () => undefined,
  refuse: () => weir.refuse('not today'),
  clock: () => Date.now(),
  hog: () => {
    const hog = [];
    for (;;) hog.push(new Uint8Array(1 << 20));
  },
  spin: () => {
    for (;;);
  },
};

export const otlpToOtlp = weir.otlpToOtlp(class {
  constructor(settings) {
    this.act = acts[settings.text('act')];
    if (settings.flag('at_once')) acts.mistake({});
  }

  transform(message) {
    console.log('working');
    return this.act(message);
  }
});
