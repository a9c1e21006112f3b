/// The client against the real lamina, with both engines, over lines that break.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'support/harness.dart';
import 'support/proxy.dart';
import 'support/real.dart' as real;
import 'support/real.dart' show client, image, jobCount;
import 'support/servers.dart';

late Emulator emulator;
late Server server;

/// Runs [body] with a client, direct or of another server.
Future<void> using(Future<void> Function(LaminaClient lamina) body, {Uri? uri}) =>
    real.using(uri ?? server.uri, body);

/// Runs [body] with a client whose line is a proxy of its own.
Future<void> overBadLine(Future<void> Function(LaminaClient lamina, Proxy line) body) =>
    real.overBadLine(server.port, body);

/// Width and height of a PNG.
(int, int) pngSize(Uint8List file) {
  final header = ByteData.sublistView(file, 16, 24);
  return (header.getUint32(0), header.getUint32(4));
}

void main() {
  test(
    'the three lines of the README give the layers of a picture',
    () => using((_) async {
      final folder = await Directory.systemTemp.createTemp('lamina-readme-');
      final previous = Directory.current;
      Directory.current = folder;
      File(image('design_card.png')).copySync('photo.jpg');
      final address = server.uri.toString();
      // README:begin
      final lamina = LaminaClient(Uri.parse(address));
      final job = await lamina.split(ImageInput.file('photo.jpg')).done;
      for (final layer in job.layers)
        await File('${layer.id}.png').writeAsBytes(await lamina.layerBytes(layer));
      // README:end
      final files = folder.listSync().map((file) => file.path).where((path) => path.endsWith('.png'));
      Directory.current = previous;
      equal(files.length, job.layers.length);
      check(job.layers.length >= 2, 'a design has more than one layer');
      lamina.close();
      folder.deleteSync(recursive: true);
    }),
  );

  test(
    'a split by fal tells every step, and its fraction never falls',
    () => using((lamina) async {
      final run = lamina.split(
        ImageInput.file(image('design_card.png')),
        options: const SplitOptions(engine: Engine.fal, numLayers: 3, prompt: 'a card', seed: 7),
      );
      final events = await run.events.toList();
      final job = await run.done;
      equal(job.engine, Engine.fal);
      equal(job.layers.length, 3);
      equal([for (final layer in job.layers) layer.order], [0, 1, 2]);
      var last = 0.0;
      for (final event in events) {
        check(event.fraction >= last, 'the fraction falls from $last to ${event.fraction}');
        last = event.fraction;
      }
      equal(last, 1.0);
      check(events.whereType<SplitUploading>().length > 2, 'the upload has steps');
      equal(events.whereType<SplitCreated>().single.jobId, job.id);
      for (final layer in job.layers) {
        equal((await lamina.layerBytes(layer)).length, layer.bytes);
        final streamed = await lamina.layerStream(layer).fold<int>(0, (sum, chunk) => sum + chunk.length);
        equal(streamed, layer.bytes);
      }
      equal((await lamina.layers(job.id)).map((layer) => layer.id).toList(), [
        'layer_0',
        'layer_1',
        'layer_2',
      ]);
    }),
  );

  test(
    'a picture that the engine refuses is a JobFailedException with its code',
    () => using((lamina) async {
      final error = await throws<JobFailedException>(
        () => lamina
            .split(
              ImageInput.file(image('design_card.png')),
              options: const SplitOptions(
                engine: Engine.fal,
                prompt: '[[emulator:content_policy_violation]]',
              ),
            )
            .done,
      );
      equal(error.job.code, FailureCode.contentRefused);
      check(!error.canRetry, 'what was refused is refused again');
    }),
  );

  test(
    'a split that the app ends deletes its job',
    () => using((lamina) async {
      final run = lamina.split(
        ImageInput.file(image('design_card.png')),
        options: const SplitOptions(
          engine: Engine.fal,
          prompt: '[[emulator:{"status_errors":{"status":502,"times":50}}]]',
        ),
      );
      String? id;
      run.events.listen((event) {
        if (event case SplitCreated(:final jobId)) id = jobId;
        if (event is SplitProgress) run.abort();
      }, onError: (Object _) {});
      await throws<AbortedException>(() => run.done);
      final gone = await throws<GoneException>(() => lamina.job(id!));
      equal(gone.code, ProblemCode.jobDeleted);
    }),
  );

  test(
    'a job is deleted twice without an error, and one that never was is not found',
    () => using((lamina) async {
      final created = await lamina.create(
        JobRequest.bytes(File(image('design_poster.png')).readAsBytesSync()),
      );
      await lamina.delete(created.id);
      await lamina.delete(created.id);
      await throws<NotFoundException>(() => lamina.job('01a20460-35e6-79d5-b1d5-2cbfca87753f'));
      await throws<GoneException>(() => lamina.watch(created.id).drain<void>());
    }),
  );

  test(
    'layers that are not there yet are a conflict that says when to ask again',
    () => using((lamina) async {
      final upload = await lamina.upload(ImageInput.file(image('design_card.png')));
      final created = await lamina.create(
        JobRequest.upload(upload.id, options: const SplitOptions(engine: Engine.fal)),
      );
      final error = await throws<ConflictException>(() => lamina.layers(created.id));
      equal(error.code, ProblemCode.jobNotCompleted);
      check(error.canRetry && error.retryAfter != null, 'it says when');
      await lamina.watch(created.id).drain<void>();
      check((await lamina.layers(created.id)).isNotEmpty, 'layers');
    }),
  );

  test(
    'jobs are listed over pages, newest first',
    () => using((lamina) async {
      final bytes = File(image('design_poster.png')).readAsBytesSync();
      for (var i = 0; i < 3; i++) {
        await lamina.create(JobRequest.bytes(bytes, options: const SplitOptions(engine: Engine.fal)));
      }
      final all = await lamina.jobs(pageSize: 2).toList();
      check(all.length >= 3, 'three and those of other tests');
      for (var i = 1; i < all.length; i++) {
        check(!all[i].createdAt.isAfter(all[i - 1].createdAt), 'newest first');
      }
    }),
  );

  test(
    'a create whose answer is lost makes exactly one job',
    () => overBadLine((lamina, line) async {
      final before = await jobCount(lamina);
      final upload = await lamina.upload(ImageInput.file(image('design_card.png')));
      line.swallowAnswerTo = 'POST /api/jobs';
      final created = await lamina.create(
        JobRequest.upload(upload.id, options: const SplitOptions(engine: Engine.fal)),
      );
      equal(line.swallowed, 1, 'the answer was swallowed');
      check(created.replayed, 'the server says that it had the job');
      equal(await jobCount(lamina), before + 1);
    }),
  );

  test(
    'a resumable upload goes on where it was after each cut',
    () => overBadLine((lamina, line) async {
      line
        ..cutAfter = 50000
        ..cuts = 5;
      final seen = <UploadProgress>[];
      final upload = await lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.resumable,
        onProgress: seen.add,
      );
      equal(line.cutsMade, 5);
      equal(seen.last.confirmed, 791555);
      for (var i = 1; i < seen.length; i++) {
        check(seen[i].confirmed >= seen[i - 1].confirmed, 'what is confirmed never falls');
      }
      // The rest of an upload is sent, and not all of it again.
      check(line.bytesUp < 791555 * 2, 'sent ${line.bytesUp} bytes of 791555');
      final job = await lamina.create(
        JobRequest.upload(upload.id, options: const SplitOptions(engine: Engine.fal)),
      );
      check(await lamina.watch(job.id).last is CompletedJob, 'the picture is whole');
    }),
  );

  test(
    'an upload goes on by its id after the app was closed',
    () => overBadLine((first, line) async {
      final abort = AbortTrigger();
      String? id;
      await throws<AbortedException>(
        () => first.upload(
          ImageInput.file(image('coffee.png')),
          abort: abort,
          onProgress: (progress) {
            id = progress.resumeId;
            if (progress.confirmed > 100000) abort.abort();
          },
        ),
      );
      await using((second) async {
        final bytes = File(image('coffee.png')).readAsBytesSync();
        final starts = <int>[];
        final upload = await second.upload(
          ImageInput.stream(bytes.length, (start) {
            starts.add(start);
            return Stream.value(Uint8List.sublistView(bytes, start));
          }),
          resumeId: id,
        );
        equal(upload.id, id);
        check(starts.first > 100000, 'it began at ${starts.first}');
        equal((await second.uploadStatus(upload.id)).state, UploadState.received);
        final other = ImageInput.bytes(Uint8List(10));
        await throws<LaminaException>(() => second.upload(other, resumeId: id));
      });
    }),
  );

  test(
    'an upload in one request that is cut is sent again',
    () => overBadLine((lamina, line) async {
      line
        ..cutAfter = 60000
        ..cuts = 2;
      final upload = await lamina.upload(ImageInput.file(image('chelsea.png')), method: UploadMethod.direct);
      equal(line.cutsMade, 2);
      equal(upload.image!.width, 451);
    }),
  );

  test(
    'a stream that can be read once is sent, and a cut of it is told',
    () => overBadLine((lamina, line) async {
      ImageInput source() => ImageInput.once(File(image('chelsea.png')).openRead());
      check((await lamina.upload(source())).image != null, 'sent');
      line
        ..cutAfter = 60000
        ..cuts = 1;
      await throws<ConnectionException>(() => lamina.upload(source()));
    }),
  );

  test(
    'a ticket takes a picture without a token',
    () => using((lamina) async {
      final bytes = File(image('design_card.png')).readAsBytesSync();
      final ticket = await lamina.createTicket(contentType: 'image/png', bytes: bytes.length);
      check(!ticket.taskHeaders.containsKey('content-length'), 'clients set the length');
      equal((await lamina.uploadStatus(ticket.uploadId)).state, UploadState.pending);
      await lamina.sendTicket(ticket, ImageInput.bytes(bytes));
      equal((await lamina.uploadStatus(ticket.uploadId)).state, UploadState.received);
      final again = await throws<ConflictException>(() => lamina.sendTicket(ticket, ImageInput.bytes(bytes)));
      equal(again.code, ProblemCode.uploadAlreadyReceived);
      final upload = await lamina.upload(ImageInput.bytes(bytes), method: UploadMethod.ticket);
      final job = await lamina.create(JobRequest.upload(upload.id));
      check(await lamina.watch(job.id).last is CompletedJob, 'completed');
    }),
  );

  test(
    'a ticket whose answer is lost counts as used',
    () => overBadLine((lamina, line) async {
      final ticket = await lamina.createTicket();
      line.swallowAnswerTo = 'PUT ';
      await lamina.sendTicket(ticket, ImageInput.file(image('design_card.png')));
      equal(line.swallowed, 1);
      equal((await lamina.uploadStatus(ticket.uploadId)).state, UploadState.received);
    }),
  );

  test(
    'a file that is no picture is a PictureRefusedException with a sentence',
    () => using((lamina) async {
      final text = ImageInput.bytes(Uint8List.fromList('This is a letter.'.codeUnits));
      final error = await throws<PictureRefusedException>(() => lamina.upload(text));
      equal(error.code, ProblemCode.imageUnrecognised);
      check(error.message.length > 10, 'a sentence');
      await throws<SourceException>(() => lamina.upload(ImageInput.bytes(Uint8List(0))));
      await throws<SourceException>(() => lamina.upload(ImageInput.file('/nowhere/picture.png')));
    }),
  );

  test(
    'a picture above the limit is refused, and not by a broken pipe',
    () => using((lamina) async {
      final large = ImageInput.bytes(Uint8List(60 * 1024 * 1024));
      final direct = await throws<PictureRefusedException>(
        () => lamina.upload(large, method: UploadMethod.direct),
      );
      equal(direct.status, 413);
      final parts = await throws<PictureRefusedException>(() => lamina.upload(large));
      equal(parts.status, 413);
    }),
  );

  test(
    'wrong fields are named',
    () => using((lamina) async {
      final error = await throws<InvalidRequestException>(
        () =>
            lamina.create(JobRequest.url(Uri.parse('ftp://x/y'), options: const SplitOptions(numLayers: 99))),
      );
      equal(error.code, ProblemCode.invalidFields);
      equal({for (final field in error.fields) field.pointer}, {'/image_url', '/num_layers'});
    }),
  );

  test(
    'one key with two bodies is refused',
    () => using((lamina) async {
      final bytes = File(image('design_card.png')).readAsBytesSync();
      final key = JobRequest.bytes(bytes).idempotencyKey;
      final first = JobRequest.bytes(
        bytes,
        idempotencyKey: key,
        options: const SplitOptions(engine: Engine.fal),
      );
      final created = await lamina.create(first);
      final kept = JobRequest.fromJson(first.toJson());
      equal((await lamina.create(kept)).id, created.id);
      final error = await throws<InvalidRequestException>(
        () =>
            lamina.create(JobRequest.bytes(bytes, idempotencyKey: key, options: const SplitOptions(seed: 1))),
      );
      equal(error.code, ProblemCode.idempotencyKeyReused);
    }),
  );

  test(
    'a server has exports, or says that it has none',
    () => using((lamina) async {
      final created = await lamina.create(real.falJob(), wait: const Duration(seconds: 30));
      final job = created.job! as CompletedJob;
      try {
        final size = await lamina.export(job.id, 'psd').fold<int>(0, (sum, chunk) => sum + chunk.length);
        check(size > 0, 'an export has bytes');
        check((await lamina.exportLinks(job.id)).any((link) => link.format == 'psd'), 'and a link');
        final moved = LayerArrangement.of(job.layers).move(job.layers.first.id, 10, 5);
        final arranged = lamina.export(job.id, 'ora', name: 'A card', recipe: moved.recipe());
        check((await arranged.first).isNotEmpty, 'what was arranged');
        final picture = lamina.composite(job.id, moved.recipe(background: '#336699', maxSide: 64));
        equal((await picture.first).sublist(1, 4), 'PNG'.codeUnits);
      } on NotSupportedException catch (error) {
        check(error.message.contains('exports'), 'it names what is missing');
      }
    }),
  );

  test(
    'a layer has a likeness, a thumbnail, and variants that are trimmed, smaller or WebP',
    () => using((lamina) async {
      final done = lamina
          .split(ImageInput.file(image('coffee.png')), options: const SplitOptions(engine: Engine.local))
          .done;
      final job = await done;
      final quality = job.quality!;
      check(quality.meanError < 1 && quality.betterOrder == null && quality.duplicates.isEmpty, 'it adds up');
      equal(
        quality.layers.map((layer) => layer.order).toList(),
        job.layers.map((layer) => layer.order).toList(),
      );
      for (final layer in job.layers) {
        check(base64.decode(layer.thumbhash!).length >= 5, 'a likeness');
        check(layer.kind != null, 'the embedded engine says what it is');
        equal(String.fromCharCodes(await lamina.layerThumbnail(layer), 8, 12), 'WEBP');
        final box = layer.rect!;
        equal(pngSize(await lamina.layerVariant(layer, trim: true)), (box.width, box.height));
        final small = await lamina.layerVariant(layer, width: 100);
        equal(pngSize(small).$1, 128, 'a step, and not the number');
        equal(await lamina.layerVariant(layer, width: 5000), await lamina.layerBytes(layer));
        final webp = await lamina.layerVariant(layer, trim: true, format: 'webp', width: 300);
        equal(String.fromCharCodes(webp, 8, 12), 'WEBP');
      }
      final wrong = job.layers.first.variantUrl(format: 'jpeg');
      final refused = await (await HttpClient().getUrl(wrong)).close();
      equal(refused.statusCode, 422);
      await refused.drain<void>();
    }),
  );

  test(
    'a file that is cut goes on where it was, and one that cannot is an error',
    () => overBadLine((lamina, line) async {
      final job = await lamina
          .split(ImageInput.file(image('coffee.png')), options: const SplitOptions(engine: Engine.local))
          .done;
      final layer = job.layers.reduce((a, b) => a.bytes! > b.bytes! ? a : b);
      final whole = await lamina.layerBytes(layer);
      check(whole.length > 200000, 'a large one');
      line
        ..cutDownAfter = 60000
        ..cutsDown = 3
        ..bytesDown = 0;
      final came = <int>[];
      await lamina.layerStream(layer).forEach(came.addAll);
      equal(line.cutsDown, 0, 'it was cut three times');
      check(line.bytesDown < whole.length + 3 * 60000 / 2, 'the rest was sent, and not all of it again');
      equal(came.length, whole.length);
      check(came.indexed.every((entry) => whole[entry.$1] == entry.$2), 'the same bytes');
      // Without a byte between the cuts it ends.
      line
        ..cutDownAfter = 0
        ..cutsDown = 1000;
      await throws<ConnectionException>(() => lamina.layerStream(layer).drain<void>());
      // What is cut in the middle, and is gone when it is asked for again.
      line
        ..cutDownAfter = 60000
        ..cutsDown = 1;
      final gone = Completer<void>();
      line.onCut = () async {
        await using((other) => other.delete(job.id));
        gone.complete();
      };
      await throws<GoneException>(() => lamina.layerStream(layer).drain<void>());
      await gone.future;
    }),
  );

  test(
    'a slow line is no error',
    () => overBadLine((lamina, line) async {
      line.bytesPerSecond = 200 * 1024;
      final job = await lamina
          .split(ImageInput.file(image('chelsea.png')), options: const SplitOptions(engine: Engine.fal))
          .done;
      check(job.layers.isNotEmpty, 'layers');
    }),
  );

  test('a watch outlives a server that is killed and started again', () async {
    final own = await Server.start(emulator.environment);
    try {
      await using(uri: own.uri, (lamina) async {
        final created = await lamina.create(
          JobRequest.bytes(
            File(image('design_card.png')).readAsBytesSync(),
            options: const SplitOptions(
              engine: Engine.fal,
              prompt: '[[emulator:{"status_errors":{"status":502,"times":2}}]]',
            ),
          ),
        );
        var restarted = false;
        Job? last;
        await for (final job in lamina.watch(created.id)) {
          last = job;
          // Not before fal has it: what is being handed over when the process dies is not handed over again.
          if (!restarted && job is ProcessingJob) {
            restarted = true;
            await own.kill();
            await Future<void>.delayed(const Duration(seconds: 1));
            await own.up();
          }
        }
        check(restarted && last is CompletedJob, 'completed, not $last');
      });
    } finally {
      await own.stop();
    }
  });

  test('an upload outlives a server that is killed and started again', () async {
    final own = await Server.start(emulator.environment);
    try {
      await using(uri: own.uri, (lamina) async {
        Future<void>? restart;
        final upload = await lamina.upload(
          ImageInput.file(image('astronaut.png')),
          onProgress: (progress) {
            if (progress.confirmed < 200000 || restart != null) return;
            restart = () async {
              await own.kill();
              await Future<void>.delayed(const Duration(milliseconds: 500));
              await own.up();
            }();
          },
        );
        await restart;
        check(restart != null, 'it was restarted');
        final status = await lamina.uploadStatus(upload.id);
        equal((status.state, status.receivedBytes), (UploadState.received, 791555));
      });
    } finally {
      await own.stop();
    }
  });

  test('a job that expired while it was watched is a GoneException', () async {
    final own = await Server.start({...emulator.environment, 'JOB_TTL': '2s'});
    try {
      await using(uri: own.uri, (lamina) async {
        final created = await lamina.create(
          JobRequest.bytes(
            File(image('design_card.png')).readAsBytesSync(),
            options: const SplitOptions(
              engine: Engine.fal,
              prompt: '[[emulator:{"status_errors":{"status":502,"times":90}}]]',
            ),
          ),
        );
        final error = await throws<GoneException>(() => lamina.watch(created.id).drain<void>());
        equal(error.code, ProblemCode.jobExpired);
      });
    } finally {
      await own.stop();
    }
  });

  test('a server with keys: wrong, renewed, limited', () async {
    final own = await Server.start({
      'API_KEYS': 'app:right-key-of-the-app-1234567890',
      'RATE_LIMIT': '5/s burst 5',
    });
    try {
      final without = client(own.uri);
      await throws<UnauthorizedException>(() => without.jobPage());
      without.close();

      final wrong = client(own.uri, token: () => const LaminaToken('wrong-key-1234567890'));
      final refused = await throws<UnauthorizedException>(() => wrong.jobPage());
      check(!'$refused'.contains('wrong-key'), 'the token is not told');
      wrong.close();

      var asked = 0;
      final renewing = client(
        own.uri,
        token: () async {
          asked++;
          await Future<void>.delayed(const Duration(milliseconds: 50));
          return LaminaToken(asked == 1 ? 'ended-key-1234567890' : 'right-key-of-the-app-1234567890');
        },
      );
      await Future.wait([renewing.jobPage(), renewing.jobPage(), renewing.jobPage()]);
      equal(asked, 2, 'renewed once for three calls');
      // Twenty requests at five a second: 429 with Retry-After, waited for.
      final clock = Stopwatch()..start();
      for (var i = 0; i < 20; i++) {
        await renewing.jobPage();
      }
      check(clock.elapsed > const Duration(seconds: 2), 'the limit held: ${clock.elapsed}');
      renewing.close();

      final hasty = LaminaClient(
        own.uri,
        token: () => const LaminaToken('right-key-of-the-app-1234567890'),
        retries: RetryPolicy.none,
      );
      final limited = await throws<LimitReachedException>(() async {
        for (var i = 0; i < 20; i++) {
          await hasty.jobPage();
        }
      });
      equal(limited.code, ProblemCode.rateLimited);
      check(limited.retryAfter! > Duration.zero, 'it says how long');
      hasty.close();
    } finally {
      await own.stop();
    }
  });

  test('the example of the command line writes the layers, and fails with a sentence', () async {
    // Where fal is set up it is what a job gets that names no engine.
    final own = await Server.start(emulator.environment);
    final folder = await Directory.systemTemp.createTemp('lamina-example-');
    // Compiled once for both runs.
    final compiled = await Process.run(Platform.resolvedExecutable, [
      '--packages=${Platform.script.resolve('../.dart_tool/package_config.json').toFilePath()}',
      '--snapshot=${folder.path}/example.dill',
      '--snapshot-kind=kernel',
      Platform.script.resolve('../example/lamina_client_example.dart').toFilePath(),
    ]);
    equal(compiled.exitCode, 0, '${compiled.stderr}');
    Future<ProcessResult> example(String picture) => Process.run(Platform.resolvedExecutable, [
      '${folder.path}/example.dill',
      '${own.uri}',
      picture,
      folder.path,
    ]);
    final good = await example(image('design_poster.png'));
    equal(good.exitCode, 0, '${good.stdout}${good.stderr}');
    check(File('${folder.path}/layer_0.png').existsSync(), 'the lowest layer is there');
    final bad = await example(image('README.md'));
    equal(bad.exitCode, 1);
    check('${bad.stderr}'.trim().split('\n').length == 1, 'one sentence: ${bad.stderr}');
    folder.deleteSync(recursive: true);
    await own.stop();
  });

  test('nobody there is a ConnectionException that says so', () async {
    final nobody = client(Uri.parse('http://127.0.0.1:${await freePort()}'));
    final error = await throws<ConnectionException>(() => nobody.jobPage());
    check(error.neverSent && error.canRetry, 'it may be tried again');
    nobody.close();
  });

  test('a closed client ends its calls', () async {
    final line = await Proxy.to(server.port);
    line.frozen = true;
    final lamina = client(line.uri);
    final pending = lamina.jobPage();
    Timer(const Duration(milliseconds: 200), lamina.close);
    await throws<AbortedException>(() => pending);
    await throws<AbortedException>(() => lamina.jobPage());
    await line.close();
  });

  runTests(
    before: () async {
      emulator = await Emulator.start();
      server = await Server.start({
        ...emulator.environment,
        'ENGINE': 'local',
        'MAX_IMAGE_BYTES': '52428800',
      });
    },
    after: () async {
      await server.stop();
      await emulator.stop();
    },
  );
}
