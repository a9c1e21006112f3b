/// Uploads to the real server over lines that break, fall silent, or belong to a proxy that has its own mind.
library;

import 'dart:async';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/real.dart';
import 'support/servers.dart';

late Emulator emulator;
late Server server;

const size = 791555; // astronaut.png

/// The end of whatever falls silent comes soon.
const impatient = Timeouts(
  connect: Duration(seconds: 1),
  answer: Duration(seconds: 2),
  idle: Duration(seconds: 2),
  patience: Duration(minutes: 1),
);

void main() {
  test(
    'a server that closes kept connections as they are used again costs nothing',
    () => overBadLine(server.port, partBytes: 512 * 1024, (lamina, line) async {
      line.closesReused = true;
      final before = await jobCount(lamina);
      for (final method in [UploadMethod.direct, UploadMethod.resumable, UploadMethod.ticket]) {
        final upload = await lamina.upload(ImageInput.file(image('astronaut.png')), method: method);
        check((await lamina.uploadStatus(upload.id)).state != UploadState.pending, method.name);
      }
      final created = await lamina.create(falJob());
      final job = await lamina.watch(created.id).last as CompletedJob;
      for (final layer in job.layers) {
        equal((await lamina.layerBytes(layer)).length, layer.bytes);
      }
      equal(await jobCount(lamina), before + 1);
      await lamina.delete(created.id);
      check(line.reusedClosed > 3, 'it happened ${line.reusedClosed} times');
    }),
  );

  test(
    'an upload whose connection fell silent goes on when the app comes back',
    () => overBadLine(server.port, (lamina, line) async {
      final stranded = Completer<void>();
      final seen = <int>[];
      final upload = lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.resumable,
        onProgress: (progress) {
          seen.add(progress.confirmed);
          if (progress.confirmed > 200000 && !stranded.isCompleted) {
            line.strandAll();
            stranded.complete();
          }
        },
      );
      await stranded.future;
      // The person looks at another app for a moment.
      final pieces = seen.length;
      await Future<void>.delayed(const Duration(milliseconds: 1500));
      check(seen.last < size, 'it hangs');
      final clock = Stopwatch()..start();
      lamina.wake();
      final done = await upload;
      check(
        clock.elapsed < const Duration(seconds: 25),
        'at once, and not after a time-out: ${clock.elapsed}',
      );
      check(seen.skip(pieces).every((confirmed) => confirmed >= 200000), 'what is confirmed never falls');
      equal((await lamina.uploadStatus(done.id)).receivedBytes, size);
    }),
  );

  test(
    'an upload that moves is not disturbed by an app that comes back',
    () => overBadLine(server.port, (lamina, line) async {
      var parts = 0;
      line.onRequest = (head) {
        if (head.startsWith('PATCH ')) parts++;
      };
      await lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.resumable,
        onProgress: (_) => lamina.wake(),
      );
      // Of 64 KiB each.
      equal(parts, (size / 65536).ceil(), 'each part was sent once');
    }),
  );

  test(
    'an upload whose connection fell silent goes on by itself',
    // The smaller a part, the shorter the time that a slow line would need for it.
    () => overBadLine(server.port, timeouts: impatient, partBytes: 16 * 1024, (lamina, line) async {
      var stranded = false;
      final done = await lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.resumable,
        onProgress: (progress) {
          if (stranded || progress.confirmed < 200000) return;
          stranded = true;
          line.strandAll();
        },
      );
      check(stranded, 'it fell silent');
      equal((await lamina.uploadStatus(done.id)).receivedBytes, size);
    }),
  );

  test(
    'a direct upload over a slow line takes its time, and is counted as it goes',
    () => overBadLine(server.port, timeouts: impatient, (lamina, line) async {
      line.bytesPerSecond = 200 * 1024;
      final seen = <double>[];
      final upload = await lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.direct,
        onProgress: (progress) => seen.add(progress.fraction!),
      );
      equal(upload.image!.width, 512);
      check(seen.length > 5 && seen.last == 1, 'it is told on the way');
    }),
  );

  test(
    'an upload that nobody wants any more is erased, twice too',
    () => using(server.uri, (lamina) async {
      final abort = AbortTrigger();
      String? id;
      await throws<AbortedException>(
        () => lamina.upload(
          ImageInput.file(image('astronaut.png')),
          method: UploadMethod.resumable,
          abort: abort,
          onProgress: (progress) {
            id = progress.resumeId;
            if (progress.confirmed > 100000) abort.abort();
          },
        ),
      );
      await lamina.discardUpload(id!);
      await lamina.discardUpload(id!);
      await throws<ProblemException>(() => lamina.uploadStatus(id!));
      await throws<ProblemException>(
        () => lamina.upload(ImageInput.file(image('astronaut.png')), resumeId: id),
      );
    }),
  );

  test('a split that is ended while it sends leaves no upload behind', () async {
    await withServer({...emulator.environment, 'MAX_INCOMING_BYTES_PER_KEY': '${size + 1000}'}, (own) async {
      await using(own.uri, (lamina) async {
        for (var i = 0; i < 3; i++) {
          final run = lamina.split(ImageInput.file(image('astronaut.png')), method: UploadMethod.resumable);
          run.events.listen((event) {
            if (event is SplitUploading && event.progress.confirmed > 100000) run.abort();
          }, onError: (Object _) {});
          await throws<AbortedException>(() => run.done);
        }
        // There would be no room for another if one of them were still there.
        await lamina.upload(ImageInput.file(image('astronaut.png')), method: UploadMethod.resumable);
      });
    });
  });

  test('a proxy that takes no request above a size does not keep a picture from its server', () async {
    final front = await Gateway.to(server.port);
    front.answers = (request) async {
      if (request.contentLength <= 100 * 1024) return false;
      // As nginx does: it answers at once and closes.
      return page(request, 413, body: '<html>413 Request Entity Too Large</html>');
    };
    await using(front.uri, (lamina) async {
      // In one request it is refused, and the sentence is not the picture's.
      final refused = await throws<PictureRefusedException>(
        () => lamina.upload(ImageInput.file(image('astronaut.png')), method: UploadMethod.direct),
      );
      equal((refused.status, refused.code), (413, ''));
      final upload = await lamina.upload(ImageInput.file(image('astronaut.png')));
      equal((await lamina.uploadStatus(upload.id)).receivedBytes, size);
    });
    await front.close();
  });

  test('a file that changes or goes while it is sent is told as that', () async {
    final folder = await Directory.systemTemp.createTemp('lamina-upload-');
    final file = File('${folder.path}/photo.png')..writeAsBytesSync(imageBytes('astronaut.png'));
    await using(server.uri, (lamina) async {
      for (final method in [UploadMethod.direct, UploadMethod.resumable]) {
        file.writeAsBytesSync(imageBytes('astronaut.png'));
        var cut = false;
        final error = await throws<SourceException>(
          () => lamina.upload(
            ImageInput.file(file.path),
            method: method,
            onProgress: (progress) {
              if (cut || progress.sent < 150000) return;
              cut = true;
              file.openSync(mode: FileMode.append)
                ..truncateSync(160000)
                ..closeSync();
            },
          ),
        );
        check(error.message.contains('picture') || error.message.contains('file'), error.message);
      }
    });
    folder.deleteSync(recursive: true);
  });

  test(
    'an interrupted stream of an app is the app\'s error, and no connection\'s',
    () => using(server.uri, (lamina) async {
      Stream<List<int>> broken(int start) async* {
        yield Uint8List(70000);
        throw StateError('the picker lost the photo');
      }

      await throws<SourceException>(
        () => lamina.upload(ImageInput.stream(200000, broken), method: UploadMethod.direct),
      );
    }),
  );

  runTests(
    before: () async {
      emulator = await Emulator.start();
      server = await Server.start({...emulator.environment, 'ENGINE': 'local'});
    },
    after: () async {
      await server.stop();
      await emulator.stop();
    },
  );
}
