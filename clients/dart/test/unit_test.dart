/// What needs no server: decoding, waiting, signing, keeping secrets, arranging, and the fake of widget tests.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:math';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';
import 'package:lamina_client/src/answer.dart';
import 'package:lamina_client/src/digest.dart';
import 'package:lamina_client/src/endpoints.dart';
import 'package:lamina_client/src/sse.dart';
import 'package:lamina_client/src/token.dart';
import 'package:lamina_client/testing.dart';

import 'support/harness.dart';

const time = '2026-11-22T17:49:03.846Z';

Map<String, Object?> jobJson([Map<String, Object?> more = const {}]) => {
  'job_id': 'j',
  'status': 'pending',
  'progress': 0,
  'created_at': time,
  'expires_at': time,
  ...more,
};

Map<String, Object?> layerJson(int order, [Map<String, Object?> more = const {}]) => {
  'id': 'layer_$order',
  'url': 'https://x.example/files/layer_$order.png?exp=1&sig=SECRET-SIGNATURE',
  'width': 100,
  'height': 80,
  'order': order,
  'bbox': {'x': 10 * order, 'y': 0, 'width': 50, 'height': 50},
  ...more,
};

Future<List<ServerEvent>> events(List<List<int>> pieces) =>
    EventStreamDecoder().bind(Stream.fromIterable(pieces)).toList();

void main() {
  test('an event stream is read alike wherever it is cut', () async {
    const text =
        '\uFEFF: hello\r\nevent: progress\r\nid: 7\r\ndata: {"a":\r\ndata:  "ü"}\r\n\r\n'
        'data\n\nid\ndata: x\n\nevent: lost\n\ndata: last\rid: 9\r\rdata: never ended';
    final bytes = utf8.encode(text);
    final whole = await events([bytes]);
    equal(
      [for (final event in whole) (event.type, event.data, event.id)],
      [
        ('progress', '{"a":\n "ü"}', '7'),
        ('message', '', '7'),
        ('message', 'x', ''),
        ('message', 'last', '9'),
      ],
    );
    for (var cut = 1; cut < bytes.length; cut++) {
      final parts = await events([bytes.sublist(0, cut), bytes.sublist(cut)]);
      equal(
        [for (final event in parts) (event.type, event.data, event.id)],
        [for (final event in whole) (event.type, event.data, event.id)],
        'cut at $cut',
      );
    }
    equal(
      (await events([
        for (final byte in bytes) [byte],
      ])).length,
      4,
      'byte by byte',
    );
  });

  test('waits double, are jittered, and have an end', () {
    const policy = RetryPolicy(first: Duration(milliseconds: 100), longest: Duration(seconds: 2));
    final random = Random(1);
    for (var failures = 1; failures < 100; failures++) {
      final ceiling = min(100 * pow(2.0, failures - 1), 2000).toInt();
      final wait = policy.backoff(failures, random).inMilliseconds;
      check(wait >= ceiling ~/ 4 && wait <= ceiling, '$wait after $failures failures');
    }
    check(
      RetryPolicy.atLeast(const Duration(seconds: 3), random) >= const Duration(seconds: 3),
      'never sooner than asked',
    );
  });

  test('Retry-After is read in seconds and as a date', () {
    Duration? of(String value) => retryAfterOf({'retry-after': value}, now: DateTime.utc(2026, 11, 22, 10));
    equal(of('3'), const Duration(seconds: 3));
    equal(of('0'), Duration.zero);
    equal(of('-1'), null);
    equal(of('soon'), null);
    equal(of('99999999999999'), const Duration(days: 365));
    equal(of('Sun, 22 Nov 2026 10:00:30 GMT'), const Duration(seconds: 30));
    equal(of('Sun, 22 Nov 2026 09:00:00 GMT'), Duration.zero);
    equal(of('Sun, 22 Abc 2026 09:00:00 GMT'), null);
    equal(retryAfterOf({}), null);
  });

  test('SHA-256 and HMAC give the published values', () {
    String sha(String text) => hexOf(sha256(utf8.encode(text)));
    equal(sha(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    equal(sha('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    equal(
      sha('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    );
    equal(sha('a' * 1000000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
    // RFC 4231, test cases 2 and 6.
    equal(
      hexOf(hmacSha256(utf8.encode('Jefe'), utf8.encode('what do ya want for nothing?'))),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    equal(
      hexOf(
        hmacSha256(
          List.filled(131, 0xaa),
          utf8.encode('Test Using Larger Than Block-Size Key - Hash Key First'),
        ),
      ),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    );
  });

  test('a webhook that the stock signer signed is verified, and no other', () async {
    // Signed by the package `standardwebhooks` 1.0.0 of PyPI.
    const body = '{"test": 2432232314}';
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
    final sent = DateTime.fromMillisecondsSinceEpoch(1614265330000);
    Map<String, Object?> verify({
      String body = body,
      String signature = signature,
      List<String> secrets = const [secret],
      Duration later = Duration.zero,
    }) => verifyWebhook(
      headers: {
        'Webhook-Id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'WEBHOOK-SIGNATURE': signature,
      },
      body: utf8.encode(body),
      secrets: secrets,
      now: sent.add(later),
    );
    equal(verify(), {'test': 2432232314});
    equal(verify(signature: 'v1a,xx v1,AAAA $signature'), {'test': 2432232314});
    equal(verify(secrets: ['whsec_AAAA', secret]), {'test': 2432232314}, 'while a secret is replaced');
    await throws<WebhookException>(() => verify(body: '{"test": 2432232315}'));
    await throws<WebhookException>(() => verify(signature: signature.replaceFirst('v1,', 'v2,')));
    await throws<WebhookException>(() => verify(secrets: ['whsec_AAAA']));
    await throws<WebhookException>(() => verify(later: const Duration(minutes: 6)));
    await throws<WebhookException>(() => verify(later: const Duration(minutes: -6)));
    await throws<WebhookException>(
      () => verifyWebhook(headers: const {}, body: const [], secrets: const [secret]),
    );
    final short = await throws<WebhookException>(() => verify(signature: 'v1,AAAA'));
    check(!'$short'.contains('AAAA'), 'the signature is not told');
  });

  test('a switch over jobs and exceptions needs no default', () {
    String say(Job job) => switch (job) {
      PendingJob() => 'pending',
      ProcessingJob(:final progress) => 'processing $progress',
      CompletedJob(:final layers) => 'completed ${layers.length}',
      FailedJob(:final code) => 'failed $code',
    };
    equal(say(Job.fromJson(jobJson())), 'pending');
    equal(say(Job.fromJson(jobJson({'status': 'processing', 'progress': 0.5}))), 'processing 0.5');
    equal(
      say(Job.fromJson(jobJson({'status': 'failed', 'error_code': 'of_tomorrow'}))),
      'failed of_tomorrow',
    );
    equal(
      say(
        Job.fromJson(
          jobJson({
            'status': 'completed',
            'layers': [layerJson(1), layerJson(0)],
          }),
        ),
      ),
      'completed 2',
    );
    String advise(LaminaException error) => switch (error) {
      PictureRefusedException() || JobFailedException() || SourceException() => 'another picture',
      UnauthorizedException() || ForbiddenException() || TokenException() => 'sign in',
      LimitReachedException() || ServerException() => 'later',
      ConnectionException() || LaminaTimeoutException() || MalformedAnswerException() => 'check the network',
      NotFoundException() || GoneException() || ConflictException() => 'start again',
      InvalidRequestException() || NotSupportedException() => 'report it',
      AbortedException() => '',
    };
    equal(advise(const ConnectionException('x')), 'check the network');
  });

  test('a newer server breaks nothing', () {
    final job = Job.fromJson(
      jobJson({
        'status': 'dreaming',
        'engine': 'engine_of_tomorrow',
        'queue_position': 'many',
        'eta_seconds': 4.0,
        'mood': {'a': 1},
      }),
    );
    check(job is ProcessingJob, 'an unknown status is not an end');
    equal(job.engine, 'engine_of_tomorrow');
    equal(job.queuePosition, null);
    equal(job.eta, const Duration(seconds: 4));
    equal(job.json['mood'], {'a': 1});
    final stack =
        (Job.fromJson(
                  jobJson({
                    'status': 'completed',
                    'progress': 1,
                    'layers': [
                      layerJson(1),
                      layerJson(0, {'bbox': null, 'opacity': 1, 'coverage': 0}),
                    ],
                  }),
                )
                as CompletedJob)
            .layers;
    equal([for (final layer in stack) layer.order], [0, 1], 'sorted, whatever the order of the answer');
    equal((stack.first.rect, stack.first.coverage, stack.first.opacity), (null, 0.0, 1.0));
    equal(
      ProblemException.of(const Problem(status: 418, code: ProblemCode('tea'), detail: 'd')).runtimeType,
      InvalidRequestException,
    );
    equal(
      ProblemException.of(const Problem(status: 599, code: ProblemCode('x'), detail: 'd')).runtimeType,
      ServerException,
    );
  });

  test('what the contract promises must be there', () async {
    for (final field in ['job_id', 'status', 'progress', 'created_at', 'expires_at']) {
      final error = await throws<MalformedAnswerException>(() => Job.fromJson(jobJson()..remove(field)));
      check(error.message.contains(field), 'it names $field');
    }
    await throws<MalformedAnswerException>(() => Job.fromJson(jobJson({'created_at': 'yesterday'})));
    await throws<MalformedAnswerException>(
      () => Job.fromJson(jobJson({'status': 'completed', 'layers': null})),
    );
    await throws<MalformedAnswerException>(
      () => Job.fromJson(
        jobJson({
          'status': 'completed',
          'layers': ['x'],
        }),
      ),
    );
  });

  test('no secret is in a text', () {
    final layer = Layer.fromJson(layerJson(0));
    final job = Job.fromJson(
      jobJson({
        'status': 'completed',
        'layers': [layerJson(0)],
      }),
    );
    final ticket = UploadTicket.fromJson({
      'upload_id': 'u',
      'method': 'PUT',
      'url': 'https://x/u?sig=SECRET-SIGNATURE',
      'headers': <String, Object?>{},
      'max_bytes': 1,
      'expires_at': time,
    });
    final stored = StoredImage.fromJson({
      'upload_id': 'u',
      'url': 'https://x/u?sig=SECRET-SIGNATURE',
      'content_type': 'image/png',
      'width': 1,
      'height': 1,
      'bytes': 1,
      'expires_at': time,
    });
    final texts =
        '$layer $job $ticket $stored ${const LaminaToken('SECRET-TOKEN')} ${TokenException(StateError('SECRET-TOKEN'))}';
    check(!texts.contains('SECRET'), texts);
  });

  test('addresses keep the path of the server, and strange ids stay one segment', () async {
    final at = Endpoints(Uri.parse('https://example.com/lamina/'));
    equal('${at.jobs({'limit': '2'})}', 'https://example.com/lamina/api/jobs?limit=2');
    equal('${at.job('../admin?x')}', 'https://example.com/lamina/api/jobs/..%2Fadmin%3Fx');
    equal('${Endpoints(Uri.parse('http://127.0.0.1:8080')).upload}', 'http://127.0.0.1:8080/api/upload');
    for (final wrong in ['example.com', 'ftp://x', '/api', 'https://u:p@x', 'https://x?y=1']) {
      await throws<ArgumentError>(() => Endpoints(Uri.parse(wrong)));
    }
  });

  test('a token is renewed before it ends, once for all, and a provider that hangs is asked again', () async {
    var now = DateTime.utc(2026);
    var asked = 0;
    final gate = Completer<void>();
    final keeper = TokenKeeper(
      () async {
        asked++;
        if (asked == 1) await gate.future;
        return LaminaToken('t$asked', expiresAt: now.add(const Duration(minutes: 5)));
      },
      const Duration(seconds: 5),
      now: () => now,
    );
    final waiting = [keeper.current(), keeper.current(), keeper.current()];
    gate.complete();
    equal({for (final token in await Future.wait(waiting)) token!.value}, {'t1'});
    now = now.add(const Duration(minutes: 4, seconds: 31));
    equal((await keeper.current())!.value, 't2', 'within half a minute of its end');
    final old = (await keeper.current())!;
    keeper.refuse(old);
    final fresh = (await keeper.current())!;
    keeper.refuse(old);
    equal((await keeper.current())!.value, fresh.value, 'a late refusal of an old token ends no new one');

    var calls = 0;
    final hanging = TokenKeeper(() {
      calls++;
      return calls == 1 ? Completer<LaminaToken>().future : const LaminaToken('good');
    }, const Duration(milliseconds: 50));
    await throws<LaminaTimeoutException>(hanging.current);
    equal((await hanging.current())!.value, 'good');
    final throwing = TokenKeeper(() => throw StateError('signed out'), const Duration(seconds: 1));
    await throws<TokenException>(throwing.current);
    equal(await TokenKeeper(null, const Duration(seconds: 1)).current(), null);
  });

  test('a request keeps its idempotency key, also across a restart', () async {
    final request = JobRequest.upload(
      'u',
      options: const SplitOptions(numLayers: SplitOptions.autoLayers, seed: 3),
    );
    equal(request.body, {'upload_id': 'u', 'num_layers': 'auto', 'seed': 3});
    final again = JobRequest.fromJson(json.decode(json.encode(request.toJson())) as Map<String, Object?>);
    equal(again.idempotencyKey, request.idempotencyKey);
    equal(again.body, request.body);
    equal({for (var i = 0; i < 100; i++) JobRequest.upload('u').idempotencyKey}.length, 100);
    await throws<FormatException>(() => JobRequest.fromJson(const {}));
  });

  test('a trigger that is used late or twice ends what it should', () {
    final trigger = AbortTrigger();
    var ended = 0;
    trigger.listen(() => ended++);
    trigger.listen(() => ended += 10)();
    trigger
      ..abort()
      ..abort()
      ..listen(() => ended += 100);
    equal(ended, 101);
  });

  test('an arrangement moves, hides, orders, and is hit where it is not transparent', () {
    final layers = [for (var order = 0; order < 3; order++) Layer.fromJson(layerJson(order))];
    var stack = LayerArrangement.of(layers);
    int opaque(Layer layer, int x, int y) => layer.id == 'layer_2' && x < 30 ? 0 : 255;
    equal(stack.hit(40, 10, opaque)!.layer.id, 'layer_2');
    equal(stack.hit(25, 10, opaque)!.layer.id, 'layer_1', 'through the transparent part');
    equal(stack.hit(5, 10, opaque)!.layer.id, 'layer_0');
    equal(stack.hit(90, 10, opaque), null, 'outside of every rectangle');
    stack = stack.show('layer_2', visible: false).fade('layer_1', 0);
    equal(stack.hit(40, 10, opaque)!.layer.id, 'layer_0', 'what is not seen is not hit');
    stack = stack.show('layer_2', visible: true).move('layer_2', 40, 0).move('layer_2', 10.5, 0);
    equal(stack.hit(95, 10, opaque)!.layer.id, 'layer_2', 'where it was moved to');
    stack = stack.reorder('layer_0', 99);
    equal([for (final placed in stack.layers) placed.layer.id], ['layer_1', 'layer_2', 'layer_0']);
    equal(stack.reorder('nobody', 0).layers.length, 3);
    final kept = json.decode(json.encode(stack.toJson())) as Map<String, Object?>;
    final restored = LayerArrangement.restore([...layers, Layer.fromJson(layerJson(3))], kept);
    equal(
      [for (final placed in restored.layers) placed.layer.id],
      ['layer_1', 'layer_2', 'layer_0', 'layer_3'],
    );
    equal(restored.layers[1].dx, 50.5);
    equal(
      LayerArrangement.restore(layers, const {
        'layers': ['x', 3],
      }).layers.length,
      3,
    );
    equal(stack.home('layer_2').layers[1].dx, 0.0);
    equal((stack.lift(0, 0.6), stack.lift(2, 0.6)), ((0.0, -0.0), (0.3, -0.6)));
    // Of 50 pixels a side, twice as large around its middle.
    final large = LayerArrangement.of([layers[1]]).resize('layer_1', 2).move('layer_1', 5, 0);
    equal(large.drawnRect(0), (-10.0, -25.0, 100.0, 100.0));
    int corner(Layer layer, int x, int y) => x == 59 && y == 49 ? 255 : 0;
    equal(large.hit(89.5, 74.5, corner)?.layer.id, 'layer_1', 'its last pixel, where it is drawn');
    equal(large.hit(64.5, 49.5, corner), null, 'and not where it was');
    equal(LayerArrangement.restore([layers[1]], large.toJson()).layers.single.scale, 2.0);
    equal(large.home('layer_1').layers.single.scale, 1.0);
    equal(
      (LayerArrangement.of([layers[1]]).toJson()['layers']! as List<Object?>).single.toString().contains(
        'scale',
      ),
      false,
    );
  });

  test('an app can be tested against the fake server', () async {
    final fake = FakeLamina([
      FakeJob.completes([
        [1, 2, 3],
        [4, 5],
      ]),
      FakeJob.fails('content_refused', 'The engine refused the picture.'),
    ]);
    final lamina = LaminaClient(
      FakeLamina.uri,
      transport: fake,
      retries: const RetryPolicy(first: Duration(milliseconds: 1)),
    );
    final picture = ImageInput.bytes(Uint8List(2 * 1024 * 1024));
    final run = lamina.split(picture);
    final events = await run.events.toList();
    final job = await run.done;
    equal(await lamina.layerBytes(job.layers[1]), [4, 5]);
    check(events.whereType<SplitProgress>().length >= 3, 'it shows progress');
    equal((await lamina.layers(job.id)).length, 2);
    equal(await lamina.jobs().length, 1);
    final failed = await throws<JobFailedException>(() => lamina.split(picture).done);
    equal(failed.job.code, FailureCode.contentRefused);
    fake.refusals.add((429, 'rate_limited'));
    check(await lamina.job(job.id) is CompletedJob, 'a refusal is tried again');
    fake.refusals.add((401, 'unauthorized'));
    await throws<UnauthorizedException>(() => lamina.job(job.id));
    await lamina.delete(job.id);
    await throws<GoneException>(() => lamina.job(job.id));
    await throws<NotSupportedException>(() => lamina.export(job.id, 'psd').drain<void>());
    fake.offline = true;
    await throws<ConnectionException>(() => lamina.job(job.id));
    lamina.close();
  });

  test('an upload that a listener fails is not ended by it', () async {
    final errors = <Object>[];
    await runZonedGuarded(() async {
      final lamina = LaminaClient(FakeLamina.uri, transport: FakeLamina([FakeJob.completes([])]));
      final upload = await lamina.upload(
        ImageInput.bytes(Uint8List(10)),
        onProgress: (_) => throw StateError('mine'),
      );
      check(upload.id.isNotEmpty, 'sent');
    }, (error, _) => errors.add(error));
    check(errors.isNotEmpty && errors.every((error) => error is StateError), '$errors');
  });

  runTests();
}
