/// A program that answers every request with 50 MB (2 MB where the path says `small`), as an export of ten layers would be. It prints its
/// port, and after each answer how many bytes went out before it ended or the client left.
library;

import 'dart:io';
import 'dart:typed_data';

Future<void> main() async {
  final server = await HttpServer.bind(InternetAddress.loopbackIPv4, 0);
  stdout.writeln(server.port);
  final chunk = Uint8List(50 * 1024);
  await for (final request in server) {
    final chunks = request.uri.path.contains('small') ? 40 : 1024;
    var taken = 0;
    Stream<List<int>> counted() async* {
      for (; taken < chunks; taken++) {
        yield chunk;
        // As a very good line would bring it. From memory to memory it comes faster than the VM collects garbage, with `dart:io` alone too.
        await Future<void>.delayed(const Duration(milliseconds: 1));
      }
    }

    final response = request.response..contentLength = chunks * chunk.length;
    try {
      await response.addStream(counted());
      await response.close();
    } on IOException {
      // The client left.
    }
    stdout.writeln(taken * chunk.length);
  }
}
