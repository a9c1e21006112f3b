/// A program that moves one large file in the way that it is told, and prints how many bytes of memory that took above idle.
/// A process of its own for each measurement: what one left in the heap would hide what the next one needs.
library;

import 'dart:async';
import 'dart:io';

import 'package:lamina_client/lamina_client.dart';

Future<void> main(List<String> arguments) async {
  final [way, address, small, large] = arguments;
  final lamina = LaminaClient(Uri.parse(address));
  Future<void> upload(ImageInput picture, UploadMethod method) async {
    try {
      await lamina.upload(picture, method: method);
    } on PictureRefusedException catch (error) {
      // It came through as a whole, and is no picture: zeros.
      if (error.code != ProblemCode.imageUnrecognised) rethrow;
    }
  }

  /// All layers of a job, or all in one file.
  Future<void> layers(String id) async {
    final job = await lamina.job(id) as CompletedJob;
    for (final layer in job.layers) {
      await lamina.layerStream(layer).pipe(File('${Directory.systemTemp.path}/lamina-$pid-$id').openWrite());
    }
    File('${Directory.systemTemp.path}/lamina-$pid-$id').deleteSync();
  }

  Future<void> psd(String id) async {
    final file = File('${Directory.systemTemp.path}/lamina-$pid-$id.psd');
    await lamina.export(id, 'psd').pipe(file.openWrite());
    file.deleteSync();
  }

  Future<void> move(String file) => switch (way) {
    'layers' => layers(file),
    'psd' => psd(file),
    'export' => lamina.export(file == small ? 'small' : 'large', 'psd').pipe(File('$file.out').openWrite()),
    'held' => upload(ImageInput.bytes(File(file).readAsBytesSync()), UploadMethod.direct),
    _ => upload(ImageInput.file(file), UploadMethod.values.byName(way)),
  };

  await move(small);
  final before = ProcessInfo.currentRss;
  var most = before;
  void sample() {
    final now = ProcessInfo.currentRss;
    if (now > most) most = now;
  }

  final timer = Timer.periodic(const Duration(milliseconds: 5), (_) => sample());
  await move(large);
  sample();
  timer.cancel();
  lamina.close();
  stdout.writeln(most - before);
}
