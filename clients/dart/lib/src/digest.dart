import 'dart:typed_data';

/// SHA-256 (FIPS 180-4) and HMAC (RFC 2104), because `dart:` libraries have neither. Tested against the published vectors.
Uint8List sha256(List<int> message) {
  final blocks = (message.length + 9 + 63) ~/ 64;
  final hash = Uint32List.fromList(_initial);
  final schedule = Uint32List(64);
  final block = ByteData(64);
  for (var index = 0; index < blocks; index++) {
    for (var i = 0; i < 64; i++) {
      final at = index * 64 + i;
      block.setUint8(i, at < message.length ? message[at] : (at == message.length ? 0x80 : 0));
    }
    if (index == blocks - 1) {
      // In two halves: integers of the web hold 53 bits.
      block
        ..setUint32(56, message.length ~/ 0x20000000)
        ..setUint32(60, (message.length << 3) & _mask);
    }
    for (var t = 0; t < 16; t++) {
      schedule[t] = block.getUint32(t * 4);
    }
    _compress(hash, schedule);
  }
  final out = ByteData(32);
  for (var i = 0; i < 8; i++) {
    out.setUint32(i * 4, hash[i]);
  }
  return out.buffer.asUint8List();
}

const _mask = 0xFFFFFFFF;

int _rotate(int x, int n) => ((x >>> n) | (x << (32 - n))) & _mask;

void _compress(Uint32List hash, Uint32List w) {
  for (var t = 16; t < 64; t++) {
    final s0 = _rotate(w[t - 15], 7) ^ _rotate(w[t - 15], 18) ^ (w[t - 15] >>> 3);
    final s1 = _rotate(w[t - 2], 17) ^ _rotate(w[t - 2], 19) ^ (w[t - 2] >>> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  var [a, b, c, d, e, f, g, h] = hash;
  for (var t = 0; t < 64; t++) {
    final s1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25);
    final choice = (e & f) ^ (~e & _mask & g);
    final first = (h + s1 + choice + _constants[t] + w[t]) & _mask;
    final s0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22);
    final majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + first) & _mask;
    d = c;
    c = b;
    b = a;
    a = (first + s0 + majority) & _mask;
  }
  for (final (i, value) in [a, b, c, d, e, f, g, h].indexed) {
    hash[i] += value;
  }
}

/// HMAC-SHA256 of [message] under [key].
Uint8List hmacSha256(List<int> key, List<int> message) {
  final short = key.length > 64 ? sha256(key) : key;
  final padded = Uint8List(64)..setAll(0, short);
  List<int> mixed(int pad) => [for (final byte in padded) byte ^ pad];
  return sha256([
    ...mixed(0x5C),
    ...sha256([...mixed(0x36), ...message]),
  ]);
}

/// [bytes] in lower-case hex.
String hexOf(List<int> bytes) => [for (final byte in bytes) byte.toRadixString(16).padLeft(2, '0')].join();

const _initial = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19, //
];

const _constants = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, //
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, //
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, //
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, //
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, //
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, //
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, //
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2, //
];
