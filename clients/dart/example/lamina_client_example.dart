/// Splits a picture on the command line:
///
///     dart example/lamina_client_example.dart http://127.0.0.1:8080 photo.jpg layers/
///
/// A key, where the server wants one, comes from LAMINA_KEY.
library;

import 'dart:io';

import 'package:lamina_client/lamina_client.dart';

Future<void> main(List<String> arguments) async {
  if (arguments.length != 3) {
    stderr.writeln('Usage: lamina_client_example.dart SERVER PICTURE FOLDER');
    exit(64);
  }
  final [server, picture, path] = arguments;
  final folder = path.replaceFirst(RegExp(r'/+$'), '');
  final key = Platform.environment['LAMINA_KEY'];
  final lamina = LaminaClient(Uri.parse(server), token: key == null ? null : () => LaminaToken(key));
  final run = lamina.split(ImageInput.file(picture));
  final interrupted = ProcessSignal.sigint.watch().listen((_) => run.abort());
  try {
    run.events.listen((event) {
      final what = switch (event) {
        SplitUploading() => 'sending',
        SplitSent() => 'sent',
        SplitCreated(:final jobId) => 'job $jobId',
        SplitProgress(:final job) => job.status.name,
      };
      stdout.writeln('${(event.fraction * 100).round().toString().padLeft(3)} %  $what');
    }, onError: (_) {});
    final job = await run.done;
    await Directory(folder).create(recursive: true);
    for (final layer in job.layers) {
      await lamina.layerStream(layer).pipe(File('$folder/${layer.id}.png').openWrite());
      stdout.writeln('$folder/${layer.id}.png  ${layer.name ?? ''} ${layer.rect ?? 'empty'}');
    }
  } on LaminaException catch (error) {
    stderr.writeln(error.message);
    exitCode = error.canRetry ? 75 : 1;
  } finally {
    await interrupted.cancel();
    lamina.close();
  }
}
