import 'package:http/http.dart' as http;
import 'package:lamina_client/lamina_client.dart';
import 'package:lamina_client_http/lamina_client_http.dart';

Future<void> main() async {
  final lamina = LaminaClient(Uri.parse('http://127.0.0.1:8080'), transport: HttpTransport(http.Client()));
  await for (final job in lamina.jobs()) {
    print(job);
  }
  lamina.close();
}
